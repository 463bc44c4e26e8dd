/* doctor_host.c: this machine. See doctor.h. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "api/doctor.h"

enum { FILES_FEW = 1024 };

static bool read_line(const char *path, char out[200])
{
    FILE *f = fopen(path, "re");
    bool good = f && fgets(out, 200, f);
    if (f)
        fclose(f);
    return good;
}

static void check_files(struct doctor *d)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    moil_doctor_say(d, "files", limit.rlim_cur < FILES_FEW ? DOCTOR_WARN : DOCTOR_OK,
                    "raise it (ulimit -n, LimitNOFILE= of a unit)",
                    "a process here may open %llu files", (unsigned long long)limit.rlim_cur);
}

/* Redis runs here, and forks to save. */
static bool serves_here(const struct doctor *d)
{
    const struct url *url = &d->client->url;
    return url->path[0] || strcmp(url->host, "localhost") == 0 ||
           strncmp(url->host, "127.", 4) == 0 || strcmp(url->host, "::1") == 0;
}

void moil_doctor_host(struct doctor *d)
{
    char line[200];
    check_files(d);
    if (!serves_here(d))
        return;
    if (read_line("/proc/sys/vm/overcommit_memory", line))
        moil_doctor_say(d, "overcommit", line[0] == '1' ? DOCTOR_OK : DOCTOR_WARN,
                        "sysctl vm.overcommit_memory=1",
                        line[0] == '1' ? "on" : "off: Redis may fail to save when memory is short");
    if (read_line("/sys/kernel/mm/transparent_hugepage/enabled", line))
        moil_doctor_say(d, "huge pages", strstr(line, "[always]") ? DOCTOR_WARN : DOCTOR_OK,
                        "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled",
                        strstr(line, "[always]") ? "always: saving makes Redis slow and large"
                                                 : "only where they are asked for");
}
