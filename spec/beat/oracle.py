"""Answers by other people's programs, for spec/beat/oracle.lua: croniter, zoneinfo, ephem.

One question a line on stdin, its fields separated by tabs; one answer a line. Times are whole
seconds since the epoch, local ones as if the wall clock showed UTC.

  cron   EXPRESSION DAY_OR AFTER COUNT  -> the next COUNT matches, or "refused" for none
  zone   NAME INSTANT...                -> the offset at each
  local  NAME LOCAL...                  -> the first instant at which the wall clock shows that
                                           or more
  solar  EVENT LATITUDE LONGITUDE AFTER DUE -> "ok SECONDS" (how far ephem's own answer is, "-"
                                           where it has none), or what is wrong with DUE
"""
import datetime
import sys
import zoneinfo

import croniter
import ephem

zoneinfo.reset_tzpath(to=["/usr/share/zoneinfo"])  # not one that some package brought

# --- cron -----------------------------------------------------------------------------------------


def parts(expression, either):
    """The expression as several whose matches together are its own.

    Where a list has days that not every month has, croniter before 3.0 passes over the first days
    of the next month, and refuses either-or where one side never comes.
    """
    fields = expression.split()
    days = croniter.croniter.expand(expression)[0][2]
    if days in (["*"], ["l"]) or max(days) <= 28:
        return [(expression, either)]
    early = ",".join(str(d) for d in days if d <= 28)
    found = []
    for day in [early] * bool(early) + [str(d) for d in days if d > 28]:
        weekday = "*" if either else fields[4]
        found.append((" ".join(fields[:2] + [day, fields[3], weekday] + fields[5:]), False))
    if either:
        found.append((" ".join(fields[:2] + ["*"] + fields[3:]), False))
    return found


def matches(expression, either, after, count):
    walk = croniter.croniter(expression, float(after), day_or=either)
    try:
        return [int(walk.get_next(float)) for _ in range(count)]
    except croniter.CroniterBadDateError:
        return []


def answer_cron(expression, day_or, after, count):
    found = set()
    for part, either in parts(expression, day_or == "1"):
        found.update(matches(part, either, after, int(count)))
    return " ".join(str(t) for t in sorted(found)[: int(count)]) or "refused"


# --- zones ----------------------------------------------------------------------------------------

EPOCH = datetime.datetime(1970, 1, 1)


def offset_at(zone, instant):
    aware = datetime.datetime.fromtimestamp(instant, datetime.timezone.utc).astimezone(zone)
    return int(aware.utcoffset().total_seconds())


def answer_zone(name, *instants):
    zone = zoneinfo.ZoneInfo(name)
    return " ".join(str(offset_at(zone, int(t))) for t in instants)


def first_instant(zone, local):
    naive = EPOCH + datetime.timedelta(seconds=local)
    instants = []
    for fold in 0, 1:
        offset = naive.replace(fold=fold, tzinfo=zone).utcoffset()
        instants.append(local - int(offset.total_seconds()))
    if instants[0] <= instants[1]:
        return instants[0]
    # It does not exist: the change lies between the two, find where the clock jumps over it.
    low, high = instants[1], instants[0]
    while low + 1 < high:
        middle = (low + high) // 2
        if middle + offset_at(zone, middle) >= local:
            high = middle
        else:
            low = middle
    return high


def answer_local(name, *locals_):
    zone = zoneinfo.ZoneInfo(name)
    return " ".join(str(first_instant(zone, int(t))) for t in locals_)


# --- the sun --------------------------------------------------------------------------------------

# As Celery asks ephem: the horizon, and whether the sun's centre counts.
EVENTS = {
    "dawn_astronomical": (-18.0, True, "rising"),
    "dawn_nautical": (-12.0, True, "rising"),
    "dawn_civil": (-6.0, True, "rising"),
    "sunrise": (-34.0 / 60, False, "rising"),
    "solar_noon": (0.0, False, "transit"),
    "sunset": (-34.0 / 60, False, "setting"),
    "dusk_civil": (-6.0, True, "setting"),
    "dusk_nautical": (-12.0, True, "setting"),
    "dusk_astronomical": (-18.0, True, "setting"),
}
EPOCH_DAY = 25567.5  # of ephem
NEAR = 0.02  # degrees that a due time may miss its altitude by
CLEAR = 0.04  # degrees that the sun must go beyond it to have risen or set for sure
STEP = 1200


def place(latitude, longitude):
    observer = ephem.Observer()
    observer.lat, observer.lon = latitude, longitude
    observer.elevation = 0
    observer.pressure = 0
    return observer


def height(observer, event, instant):
    """Degrees of the sun above the event's altitude."""
    horizon, centre, _ = EVENTS[event]
    observer.date = instant / 86400 + EPOCH_DAY
    sun = ephem.Sun(observer)
    rim = 0 if centre else sun.radius
    return (sun.alt + rim) / ephem.degree - horizon


def own_answer(observer, event, after):
    horizon, centre, kind = EVENTS[event]
    observer.horizon = str(horizon)
    observer.date = after / 86400 + EPOCH_DAY
    sun = ephem.Sun()
    if kind == "transit":
        found = observer.next_transit(sun)
    elif kind == "rising":
        found = observer.next_rising(sun, use_center=centre)
    else:
        found = observer.next_setting(sun, use_center=centre)
    return (found - EPOCH_DAY) * 86400


def earlier(observer, event, after, due):
    """An instant by which the event had happened before it was due, or None."""
    sign = 1 if EVENTS[event][2] == "rising" else -1
    before = False  # the sun was clearly on the side that it comes from
    for instant in range(after + 1, due - 60, STEP):
        side = sign * height(observer, event, instant)
        if side < -CLEAR:
            before = True
        elif side > CLEAR and before:
            return instant
    return None


def answer_solar(event, latitude, longitude, after, due):
    after, due = int(after), int(due)
    observer = place(latitude, longitude)
    kind = EVENTS[event][2]
    if kind != "transit":
        miss = height(observer, event, due)
        if abs(miss) > NEAR:
            return f"at {due} the sun is {miss:.4f} degrees off"
        sign = 1 if kind == "rising" else -1
        way = height(observer, event, due + 300) - height(observer, event, due - 300)
        if sign * way < -NEAR:
            return f"at {due} the sun goes the other way"
        missed = earlier(observer, event, after, due)
        if missed:
            return f"it had happened before {missed}"
    if abs(float(latitude)) > 60 and kind != "transit":
        return "ok -"
    try:
        return f"ok {own_answer(observer, event, after) - due:.3f}"
    except (ephem.AlwaysUpError, ephem.NeverUpError):
        return "ok -"


ANSWERS = {
    "cron": answer_cron,
    "zone": answer_zone,
    "local": answer_local,
    "solar": answer_solar,
}

if __name__ == "__main__":
    for line in sys.stdin:
        name, *fields = line.rstrip("\n").split("\t")
        print(ANSWERS[name](*fields))
