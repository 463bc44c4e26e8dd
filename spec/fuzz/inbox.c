/* Messages to an inbox: only who waits for an id hears of it, and each end ends its wait. */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "queue/inbox.h"

static const char *const ids[] = {"a", "bb", "job-1"};

struct ear {
    struct inbox_wait wait;
    const char *id;
    struct slice message;
};

static void heard(struct inbox_wait *wait, enum inbox_event event, int err, struct slice text)
{
    const struct ear *ear = wait->data;
    size_t n = strlen(ear->id);
    FUZZ_CHECK(err == 0 && event != INBOX_FAILED);
    FUZZ_CHECK(ear->message.n >= n + 2 && memcmp(ear->message.p + 1, ear->id, n) == 0);
    FUZZ_CHECK(text.p + text.n == ear->message.p + ear->message.n);
    FUZZ_CHECK((event == INBOX_PROGRESS) == (wait->job != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct broker broker;
    static struct url url = {.kind = URL_UNIX, .path = "/nowhere"};
    if (!broker.link) { /* never started: asking waits for a link that does not come */
        struct link_hooks hooks = {0};
        FUZZ_CHECK((broker.link = moil_link_new(ev_default_loop(0), &url, &hooks)));
        FUZZ_CHECK(moil_broker_init(&broker, broker.link, "fuzz", 1000) == 0);
    }
    struct slice message = fuzz_bytes(data, size);
    struct inbox inbox;
    struct ear ears[3];
    moil_inbox_init(&inbox, &broker, "0");
    for (size_t i = 0; i < 3; i++) {
        ears[i] = (struct ear){.id = ids[i], .message = message};
        ears[i].wait = (struct inbox_wait){.cb = heard, .data = &ears[i]};
        FUZZ_CHECK(moil_inbox_wait(&inbox, &ears[i].wait, slice_str(ids[i])) == 0);
    }
    moil_inbox_deliver(&inbox, message);
    for (size_t i = 0; i < 3; i++)
        moil_inbox_cancel(&inbox, &ears[i].wait);
    FUZZ_CHECK(moil_inbox_is_empty(&inbox));
    moil_inbox_fini(&inbox);
    free((void *)message.p);
    return 0;
}
