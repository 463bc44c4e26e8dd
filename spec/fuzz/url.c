/* Redis URLs: what is shown says the same but for the password, which no message shows. The seeds'
 * password is `SECRET`. */
#include <stdlib.h>
#include <string.h>

#include "conf/url.h"
#include "fuzz.h"

#define SECRET "s3cr3t"

static void check_shown(const struct url *url)
{
    char shown[sizeof(struct url) * 3], again[sizeof shown], why[256], small[16];
    struct url shown_url;
    moil_url_redact(url, shown, sizeof shown);
    FUZZ_CHECK(moil_url_parse(shown, &shown_url, why, sizeof why) == 0);
    FUZZ_CHECK(url->kind == shown_url.kind && strcmp(url->host, shown_url.host) == 0);
    FUZZ_CHECK(strcmp(url->path, shown_url.path) == 0 && strcmp(url->user, shown_url.user) == 0);
    FUZZ_CHECK(url->port == shown_url.port && url->db == shown_url.db && url->db >= 0);
    FUZZ_CHECK(strcmp(shown_url.password, url->password[0] ? "***" : "") == 0);
    moil_url_redact(&shown_url, again, sizeof again);
    FUZZ_CHECK(strcmp(shown, again) == 0);
    moil_url_redact(url, small, sizeof small);
    FUZZ_CHECK(strncmp(shown, small, sizeof small - 1) == 0 && strlen(small) < sizeof small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char *text = fuzz_text(&in, '\0', NULL), why[256] = "";
    struct url url;
    fuzz_mark(&url, sizeof url);
    if (moil_url_parse(text, &url, why, sizeof why) == 0) {
        check_shown(&url);
    } else {
        const char *at = strrchr(text, '@'), *secret = strstr(text, SECRET);
        fuzz_check_marked(&url, sizeof url);
        fuzz_check_line(why, sizeof why);
        FUZZ_CHECK(!at || !secret || secret > at || !strstr(why, SECRET));
    }
    free(text);
    return 0;
}
