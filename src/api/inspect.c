/* inspect.c: looking at jobs, queues and nodes. A part of the client (client.h).
 *
 * A request that reads with one script, page by page where there are many; some views then read the
 * nodes' reports too, and put the two together. */
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "api/nodes.h"
#include "base/error.h"
#include "queue/describe.h"

enum {
    LIMIT_DEFAULT = 1000,
    LOOKED_MAX = 1000000, /* so many jobs are looked at, however few of them are wanted */
};

typedef char name_text[MOIL_NAME_MAX + 1];

/* What is asked, and what has come so far. */
struct look {
    struct moil_request request;
    const struct sight *sight;
    name_text subject; /* the job's id, or the queue; "": none */
    name_text task, queue, state;
    struct listing_choice choice; /* of these */
    char position[48];            /* of the next page, as the script says it */
    size_t looked;                /* at how many jobs */
    bool filters;
    bool reads_nodes; /* this is what the question under way is for */
    int served;
    struct buffer text, nodes;
};

/* A kind of look. Those without a script ask for the nodes alone. */
struct sight {
    bool has_script;
    enum script_id script;
    void (*fill)(const struct look *look, struct args *a);     /* NULL: no ARGV */
    int (*take)(struct look *look, const struct reply *reply); /* 0, REQUEST_MORE or a status */
    int (*take_nodes)(struct look *look);                      /* NULL: they are not needed */
    enum listing kind;                                         /* of a list */
};

/* --- a job ------------------------------------------------------------------------------------ */

static void fill_job(const struct look *look, struct args *a)
{
    moil_args_str(a, look->subject);
}

static int take_job(struct look *look, const struct reply *reply)
{
    if (moil_reply_type(reply) == REPLY_NIL)
        return moil_request_fail(
            &look->request, MOIL_STATUS_UNKNOWN,
            "no job under this id: never enqueued, or its result expired or was not kept");
    return moil_describe_job(slice_str(look->subject), reply, &look->text);
}

/* --- lists of jobs ---------------------------------------------------------------------------- */

static void fill_page(const struct look *look, struct args *a)
{
    static const char *const places[] = {"inflight", "delayed", NULL, "pending", "deferred"};
    enum listing kind = look->sight->kind;
    if (kind != LISTING_DEAD) {
        moil_args_str(a, places[kind]);
        moil_args_slice(a, kind == LISTING_PENDING ? look->choice.queue : slice_str(""));
    }
    moil_args_str(a, look->position);
    moil_args_int(a, look->filters || look->choice.limit > MOIL_BATCH_MAX
                         ? MOIL_BATCH_MAX
                         : (int64_t)look->choice.limit);
}

/* A page after the other, until there are enough, or it has looked at LOOKED_MAX. */
static int take_page(struct look *look, const struct reply *reply)
{
    if (look->text.len == 0)
        moil_buffer_add_char(&look->text, '[');
    size_t found = moil_describe_list(look->sight->kind, reply, &look->choice, &look->text);
    struct slice next = moil_reply_slice(moil_reply_at(reply, 3 * found));
    look->looked += found;
    if (next.n > 0 && look->choice.limit > 0 && look->looked < LOOKED_MAX && !look->text.failed) {
        snprintf(look->position, sizeof look->position, "%.*s", (int)next.n, next.p);
        return REQUEST_MORE;
    }
    moil_buffer_add_char(&look->text, ']');
    return 0;
}

/* --- queues and nodes ------------------------------------------------------------------------- */

static int take_queues(struct look *look, const struct reply *reply)
{
    moil_describe_queues(reply, &look->text);
    return 0;
}

static int add_workers(struct look *look)
{
    return moil_nodes_add_workers(moil_buffer_slice(&look->nodes), &look->text);
}

static int give_nodes(struct look *look)
{
    moil_buffer_add_slice(&look->text, moil_buffer_slice(&look->nodes));
    return 0;
}

/* The time limits set at run time, as moil_nodes_list_tasks takes them. */
static int take_limits(struct look *look, const struct reply *reply)
{
    moil_buffer_add_char(&look->text, '{');
    for (size_t i = 1; i + 1 < moil_reply_count(reply); i += 2) {
        moil_buffer_add_str(&look->text, i > 1 ? "," : "");
        moil_buffer_add_json(&look->text, moil_reply_slice(moil_reply_at(reply, i)));
        moil_buffer_add_char(&look->text, ':');
        moil_buffer_add_json(&look->text, moil_reply_slice(moil_reply_at(reply, i + 1)));
    }
    moil_buffer_add_char(&look->text, '}');
    return 0;
}

static int give_registered(struct look *look)
{
    return moil_nodes_list_tasks(moil_buffer_slice(&look->nodes), &look->text);
}

static int give_served(struct look *look)
{
    int served =
        moil_nodes_serve(moil_buffer_slice(&look->nodes), look->subject[0] ? look->subject : NULL);
    look->served = served == 1;
    return served < 0 ? served : 0;
}

static const struct sight sights[] = {
    [MOIL_VIEW_QUEUES] = {true, SCRIPT_QUEUES, NULL, take_queues, add_workers, LISTING_DEAD},
    [MOIL_VIEW_ACTIVE] = {true, SCRIPT_LIST, fill_page, take_page, NULL, LISTING_INFLIGHT},
    [MOIL_VIEW_SCHEDULED] = {true, SCRIPT_LIST, fill_page, take_page, NULL, LISTING_DELAYED},
    [MOIL_VIEW_DEAD] = {true, SCRIPT_DEAD, fill_page, take_page, NULL, LISTING_DEAD},
    [MOIL_VIEW_NODES] = {.take_nodes = give_nodes},
    [MOIL_VIEW_REGISTERED] = {true, SCRIPT_TIME_LIMITS, NULL, take_limits, give_registered,
                              LISTING_DEAD},
    [MOIL_VIEW_PENDING] = {true, SCRIPT_LIST, fill_page, take_page, NULL, LISTING_PENDING},
    [MOIL_VIEW_DEFERRED] = {true, SCRIPT_LIST, fill_page, take_page, NULL, LISTING_DEFERRED},
};

enum { VIEW_COUNT = sizeof sights / sizeof *sights };

static const struct sight of_job = {true, SCRIPT_INSPECT, fill_job, take_job, NULL, LISTING_DEAD};
static const struct sight of_service = {.take_nodes = give_served};

/* --- the operation ---------------------------------------------------------------------------- */

static int send_question(struct moil_request *r)
{
    const struct look *look = (const struct look *)r;
    struct broker *b = &r->client->broker;
    moil_args_clear(&b->args);
    if (!look->reads_nodes && look->sight->fill)
        look->sight->fill(look, &b->args);
    return moil_broker_eval(b, look->reads_nodes ? SCRIPT_NODES : look->sight->script,
                            moil_request_answered, r);
}

/* All is there: the status of the whole. */
static int finish(struct look *look)
{
    struct moil_request *r = &look->request;
    int status = look->reads_nodes ? look->sight->take_nodes(look) : 0;
    if (status == MOIL_STATUS_BAD_RECORD)
        return moil_request_fail(r, status, "a node's report is damaged");
    if (status || look->text.failed || look->nodes.failed)
        return moil_request_fail(r, MOIL_STATUS_NOMEM, "out of memory");
    return 0;
}

static int take(struct moil_request *r, const struct reply *reply)
{
    struct look *look = (struct look *)r;
    if (look->reads_nodes) {
        moil_describe_nodes(reply, &look->nodes);
        return finish(look);
    }
    int status = look->sight->take(look, reply);
    if (status)
        return status;
    look->reads_nodes = look->sight->take_nodes != NULL;
    return look->reads_nodes ? REQUEST_MORE : finish(look);
}

static void tell(struct moil_request *r)
{
    struct look *look = (struct look *)r;
    if (look->sight == &of_service && r->fn.count)
        r->fn.count(r->data, r->status, r->errstr, r->status ? 0 : (size_t)look->served);
    else if (look->sight != &of_service && r->fn.answer)
        r->fn.answer(r->data, r->status, r->errstr,
                     r->status ? NULL : moil_buffer_cstr(&look->text));
}

static void free_look(struct moil_request *r)
{
    struct look *look = (struct look *)r;
    moil_buffer_fini(&look->text);
    moil_buffer_fini(&look->nodes);
}

/* Not started yet; NULL with the sentence set. */
static struct look *make(struct moil_client *c, const struct sight *sight, const char *subject)
{
    static const struct operation operation = {
        .late = "answer", .send = send_question, .take = take, .tell = tell, .free = free_look};
    moil_client_begin(c, c->deadline_s);
    if (subject && !moil_name_is_valid(slice_str(subject))) {
        moil_client_fail(c, MOIL_STATUS_INVALID,
                         "%s is 1 to 200 printable characters without space",
                         sight == &of_job ? "an id" : "a queue");
        return NULL;
    }
    struct look *look = moil_request_new(c, &operation, sizeof *look);
    if (!look)
        return NULL;
    look->sight = sight;
    look->reads_nodes = !sight->has_script;
    snprintf(look->subject, sizeof look->subject, "%s", subject ? subject : "");
    moil_buffer_init(&look->text);
    moil_buffer_init(&look->nodes);
    return look;
}

/* The sentence of a wrong filter; NULL: it is fine. */
static const char *refuse_filter(moil_view view, const moil_filter *f)
{
    bool of_jobs = view == MOIL_VIEW_ACTIVE || view == MOIL_VIEW_SCHEDULED ||
                   view == MOIL_VIEW_DEAD || view == MOIL_VIEW_PENDING ||
                   view == MOIL_VIEW_DEFERRED;
    if (!f || (!f->task && !f->queue && !f->state))
        return NULL;
    if (!of_jobs)
        return "only views of jobs can be filtered";
    if ((f->task && !moil_name_is_valid(slice_str(f->task))) ||
        (f->queue && !moil_name_is_valid(slice_str(f->queue))) ||
        (f->state && !moil_name_is_valid(slice_str(f->state))))
        return "a task, queue or state is 1 to 200 printable characters without space";
    return NULL;
}

static struct slice keep(name_text to, const char *from)
{
    snprintf(to, sizeof(name_text), "%s", from ? from : "");
    return slice_str(from ? to : NULL);
}

static struct look *make_view(struct moil_client *c, moil_view view, const moil_filter *filter,
                              size_t offset, size_t limit)
{
    static const moil_filter none;
    const moil_filter *f = filter ? filter : &none;
    const char *why = refuse_filter(view, f);
    moil_client_begin(c, c->deadline_s);
    if (why || (int)view < 0 || (int)view >= VIEW_COUNT) {
        if (why)
            moil_client_fail(c, MOIL_STATUS_INVALID, "%s", why);
        else
            moil_client_fail(c, MOIL_STATUS_INVALID, "there is no view %d", (int)view);
        return NULL;
    }
    struct look *look = make(c, &sights[view], NULL);
    if (!look)
        return NULL;
    bool is_pending = view == MOIL_VIEW_PENDING;
    look->filters = f->task || f->queue || f->state || is_pending;
    look->choice = (struct listing_choice){
        .task = keep(look->task, f->task),
        .queue = keep(look->queue, f->queue || !is_pending ? f->queue : "default"),
        .state = keep(look->state, f->state),
        .skip = look->filters ? offset : 0,
        .limit = limit ? limit : LIMIT_DEFAULT,
    };
    snprintf(look->position, sizeof look->position, "%zu", look->filters ? 0 : offset);
    return look;
}

/* --- blocking --------------------------------------------------------------------------------- */

/* Runs it to its end; look NULL: why it could not be made. */
static int run(struct moil_client *c, struct look *look, char **json, int *served)
{
    if (!look)
        return c->status;
    moil_request_start(&look->request, c->deadline_s);
    int status = moil_client_run(c, &look->request);
    char *text = status || !json ? NULL : moil_buffer_take(&look->text, NULL);
    if (!status && json && !text)
        status = moil_client_fail(c, MOIL_STATUS_NOMEM, "out of memory");
    if (!status && json)
        *json = text;
    if (!status && served)
        *served = look->served;
    moil_request_release(&look->request);
    return status;
}

int moil_inspect_job(moil_client *c, const char *id, char **json)
{
    return run(c, make(c, &of_job, id ? id : ""), json, NULL);
}

int moil_inspect_matching(moil_client *c, moil_view view, const moil_filter *filter, size_t offset,
                          size_t limit, char **json)
{
    return run(c, make_view(c, view, filter, offset, limit), json, NULL);
}

int moil_inspect(moil_client *c, moil_view view, size_t offset, size_t limit, char **json)
{
    return run(c, make_view(c, view, NULL, offset, limit), json, NULL);
}

int moil_is_served(moil_client *c, const char *queue)
{
    int served = 0;
    int status = run(c, make(c, &of_service, queue), NULL, &served);
    return status ? status : served;
}

/* --- on the host's loop ----------------------------------------------------------------------- */

static moil_request *start(struct look *look, union request_fn fn, void *data)
{
    if (!look)
        return NULL;
    look->request.fn = fn;
    look->request.data = data;
    moil_request_start(&look->request, look->request.client->deadline_s);
    return &look->request;
}

moil_request *moil_async_inspect_job(moil_async *client, const char *id, moil_answer_fn *fn,
                                     void *data)
{
    return start(make(&client->client, &of_job, id ? id : ""), (union request_fn){.answer = fn},
                 data);
}

moil_request *moil_async_inspect(moil_async *client, moil_view view, size_t offset, size_t limit,
                                 moil_answer_fn *fn, void *data)
{
    return start(make_view(&client->client, view, NULL, offset, limit),
                 (union request_fn){.answer = fn}, data);
}

moil_request *moil_async_is_served(moil_async *client, const char *queue, moil_count_fn *fn,
                                   void *data)
{
    return start(make(&client->client, &of_service, queue), (union request_fn){.count = fn}, data);
}
