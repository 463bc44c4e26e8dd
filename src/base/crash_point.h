/* Named places at which a process can be told to die: one for each state of a job and each step of
 * a process's life, so that the specs can kill there and nowhere else.
 *
 * They exist in test builds alone (`build/crash/moil`, made with the spec modules): elsewhere the
 * macros are nothing. In a test build MOIL_CRASH_AT=NAME[:COUNT[:kill|stop|exit]] arms one of them:
 * who comes there for the COUNTth time gets SIGKILL (or SIGSTOP, or leaves with status 70). That
 * happens once: MOIL_CRASH_MARK names a file that it makes first, and where that is there nobody
 * dies any more, so that what is started again lives. spec/faults/crash_points.lua has a run for
 * each name in the sources. */
#ifndef MOIL_BASE_CRASH_POINT_H
#define MOIL_BASE_CRASH_POINT_H

#ifdef MOIL_CRASH_POINTS
void moil_crash_point(const char *name);
#define MOIL_CRASH_POINT(name)               moil_crash_point(name)
#define MOIL_CRASH_POINT_IF(condition, name) ((condition) ? moil_crash_point(name) : (void)0)
#else
#define MOIL_CRASH_POINT(name)               ((void)0)
#define MOIL_CRASH_POINT_IF(condition, name) ((void)0)
#endif

#endif
