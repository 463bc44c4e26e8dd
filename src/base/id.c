/* Makes ids. Called where jobs, incarnations and inboxes are born. */
#include "base/id.h"

#include <uuid/uuid.h>

_Static_assert(MOIL_ID_LEN + 1 == UUID_STR_LEN, "a textual UUID fits");

void moil_id_new(char out[MOIL_ID_LEN + 1])
{
    uuid_t id;

    uuid_generate_random(id);
    uuid_unparse_lower(id, out);
}
