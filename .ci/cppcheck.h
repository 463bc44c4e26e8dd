/* What the loops of uthash, utlist and jansson mean, for cppcheck, which is not shown their headers. */
#define DL_FOREACH(head, el)           for ((el) = (head); (el); (el) = (el)->next)
#define LL_FOREACH(head, el)           for ((el) = (head); (el); (el) = (el)->next)
#define DL_FOREACH_SAFE(head, el, tmp) for ((el) = (head); (el) && ((tmp) = (el)->next, 1); (el) = (tmp))
#define LL_FOREACH_SAFE(head, el, tmp) for ((el) = (head); (el) && ((tmp) = (el)->next, 1); (el) = (tmp))
#define HASH_ITER(hh, head, el, tmp) \
    for ((el) = (head); (el) && ((tmp) = (el)->hh.next, 1); (el) = (tmp))
#define json_array_foreach(array, index, value) \
    for ((index) = 0; (index) < json_array_size(array) && ((value) = json_array_get(array, index)); (index)++)
#define json_object_foreach(object, key, value) \
    for ((key) = json_object_iter_key(json_object_iter(object)); \
         (key) && ((value) = json_object_iter_value(json_object_key_to_iter(key))); \
         (key) = json_object_iter_key(json_object_iter_next(object, json_object_key_to_iter(key))))
#define JSON_INTEGER_FORMAT "lld"
/* cppcheck 2.10 takes the keyword for a macro that it does not know. */
#define _Noreturn __attribute__((noreturn))
