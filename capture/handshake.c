/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handshake.h"

#include "flow.h"
#include "older.h"

#include <string.h>

/* More handshakes under way at once than this push the oldest out. */
#define FLOWS_MAX 4096
#define LEDGERS_MAX 16384
/* (label, random) pairs remembered to let each secret pass once. */
#define SECRETS_REMEMBERED (1u << 18)
static const char reason_late[] = "the secret came too late";
static const char reason_older[] = "it began before the capture";
static const char reason_broken_off[] = "it was broken off, or the capture ended, before its secrets were needed";
#define BOTH_SIDES (1u << EC_SIDE_CLIENT | 1u << EC_SIDE_SERVER)
/* How long a secret whose ClientHello was seen waits for its packet; ns. */
#define GRACE_NS 200000000ull

/* The secrets of one client random. */
struct ledger {
    uint8_t client_random[EC_RANDOM_LEN];
    unsigned got, missed; /* bits of labels */
    bool hello;           /* its ClientHello was seen */
    bool unmatched;       /* it was not, although secrets have come */
    bool of_server;       /* secrets came for the server's random: from LibreSSL */
    GArray *pending;      /* of struct ec_secret */
    ec_proof *proof;      /* NULL: not wanted, or done */
    enum ec_proof_state proof_state;
    uint64_t time;      /* of the latest secret */
    const char *reason; /* for which it was counted as a miss; NULL: it was not */
    char comm[EC_COMM_LEN];
};

struct waiting {
    uint8_t client_random[EC_RANDOM_LEN];
    uint64_t time;
};

struct ec_handshakes {
    GHashTable *flows;   /* struct ec_flow * → itself */
    GQueue flow_order;   /* struct ec_flow *, oldest first */
    GHashTable *ledgers; /* client random → struct ledger * */
    GQueue ledger_order; /* struct ledger *, oldest first */
    GQueue waiting;      /* struct waiting *, in order of arrival */
    ec_secret_set *seen;
    bool verify;
    ec_addresses *addresses;
    ec_older *older;
    struct ec_handshake_counts counts;
    ec_misses *misses;
};

static guint hash_bytes(guint hash, const void *data, size_t len)
{
    const uint8_t *byte = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * 16777619u; /* FNV-1a */
    return hash;
}

static guint hash_endpoint(const struct ec_endpoint *endpoint)
{
    return hash_bytes(hash_bytes(2166136261u, endpoint->address, sizeof(endpoint->address)), &endpoint->port,
                      sizeof(endpoint->port));
}

/* Symmetric, so that a segment of either direction finds its flow. */
static guint hash_flow(gconstpointer key)
{
    const struct ec_flow *flow = key;

    return hash_endpoint(&flow->client) + hash_endpoint(&flow->server) + flow->rules->transport;
}

static gboolean equal_flow(gconstpointer left, gconstpointer right)
{
    const struct ec_flow *a = left, *b = right;

    if (a->rules->transport != b->rules->transport)
        return FALSE;
    return (ec_endpoint_equal(&a->client, &b->client) && ec_endpoint_equal(&a->server, &b->server)) ||
           (ec_endpoint_equal(&a->client, &b->server) && ec_endpoint_equal(&a->server, &b->client));
}

static guint hash_random(gconstpointer key)
{
    guint hash;

    memcpy(&hash, key, sizeof(hash));
    return hash;
}

static gboolean equal_random(gconstpointer a, gconstpointer b)
{
    return !memcmp(a, b, EC_RANDOM_LEN);
}

static bool ledger_is_of_server(const struct ledger *ledger)
{
    return ledger->pending->len > 0 && g_array_index(ledger->pending, struct ec_secret, 0).of_server;
}

/* An array that never held any has no memory. */
static void secrets_wipe(GArray *secrets)
{
    if (secrets->len > 0)
        explicit_bzero(secrets->data, secrets->len * sizeof(struct ec_secret));
    g_array_set_size(secrets, 0);
}

static void ledger_free(gpointer data)
{
    struct ledger *ledger = data;

    secrets_wipe(ledger->pending);
    g_array_unref(ledger->pending);
    ec_proof_free(ledger->proof);
    g_free(ledger);
}

ec_handshakes *ec_handshakes_new(bool verify)
{
    ec_handshakes *handshakes = g_new0(ec_handshakes, 1);

    handshakes->verify = verify;
    handshakes->flows = g_hash_table_new_full(hash_flow, equal_flow, g_free, NULL);
    handshakes->ledgers = g_hash_table_new_full(hash_random, equal_random, NULL, ledger_free);
    handshakes->seen = ec_secret_set_new(SECRETS_REMEMBERED);
    handshakes->addresses = ec_addresses_new();
    handshakes->older = ec_older_new();
    handshakes->misses = ec_misses_new();
    return handshakes;
}

void ec_handshakes_free(ec_handshakes *handshakes)
{
    if (!handshakes)
        return;
    g_hash_table_unref(handshakes->flows);
    g_hash_table_unref(handshakes->ledgers);
    g_queue_clear(&handshakes->flow_order);
    g_queue_clear(&handshakes->ledger_order);
    g_queue_clear_full(&handshakes->waiting, g_free);
    ec_secret_set_free(handshakes->seen);
    ec_addresses_free(handshakes->addresses);
    ec_older_free(handshakes->older);
    ec_misses_free(handshakes->misses);
    g_free(handshakes);
}

static struct ledger *ledger_get(const ec_handshakes *handshakes, const uint8_t *client_random)
{
    return g_hash_table_lookup(handshakes->ledgers, client_random);
}

static void ledger_evict(ec_handshakes *handshakes)
{
    struct ledger *oldest = g_queue_pop_head(&handshakes->ledger_order);

    g_hash_table_remove(handshakes->ledgers, oldest->client_random);
}

static struct ledger *ledger_add(ec_handshakes *handshakes, const uint8_t *client_random)
{
    struct ledger *ledger = ledger_get(handshakes, client_random);

    if (ledger)
        return ledger;
    /* An evicted one loses only secrets that are past their grace: there are fewer under way. */
    while (g_queue_get_length(&handshakes->ledger_order) >= LEDGERS_MAX)
        ledger_evict(handshakes);
    ledger = g_new0(struct ledger, 1);
    memcpy(ledger->client_random, client_random, EC_RANDOM_LEN);
    ledger->pending = g_array_sized_new(FALSE, FALSE, sizeof(struct ec_secret), EC_LABEL_MAX);
    g_hash_table_insert(handshakes->ledgers, ledger->client_random, ledger);
    g_queue_push_tail(&handshakes->ledger_order, ledger);
    return ledger;
}

/* A secret that came too late explains more than that it did not come in time. */
static void ledger_explain_late(ec_handshakes *handshakes, struct ledger *ledger)
{
    if (!ledger->reason || ledger->reason == reason_late)
        return;
    ec_misses_move(handshakes->misses, ledger->reason, reason_late, ledger->comm);
    ledger->reason = reason_late;
}

/* The flow whose ServerHello has this random, or NULL. */
static const struct ec_flow *flow_find_server(const ec_handshakes *handshakes, const uint8_t *server_random)
{
    GHashTableIter iterator;
    gpointer key;

    g_hash_table_iter_init(&iterator, handshakes->flows);
    while (g_hash_table_iter_next(&iterator, &key, NULL)) {
        const struct ec_flow *flow = key;

        if (flow->has_random && flow->version && !memcmp(flow->server_random, server_random, EC_RANDOM_LEN))
            return flow;
    }
    return NULL;
}

static enum ec_secret_fate secret_add(ec_handshakes *handshakes, const struct ec_secret *secret, uint64_t time)
{
    enum ec_secret_label label = ec_secret_label_parse(secret->label);
    struct waiting *waiting;
    struct ledger *ledger;

    if (label == EC_LABEL_MAX)
        return EC_SECRET_INVALID;
    if (!ec_secret_set_add(handshakes->seen, label, secret->client_random))
        return EC_SECRET_DUPLICATE;
    ledger = ledger_add(handshakes, secret->client_random);
    ledger->got |= 1u << label;
    ledger->time = time;
    g_array_append_vals(ledger->pending, secret, 1);
    if (ledger->proof)
        ec_proof_add_secret(ledger->proof, secret);
    waiting = g_new(struct waiting, 1);
    memcpy(waiting->client_random, secret->client_random, EC_RANDOM_LEN);
    waiting->time = time;
    g_queue_push_tail(&handshakes->waiting, waiting);
    if (!(ledger->missed & (1u << label)))
        return EC_SECRET_KEPT;
    ledger_explain_late(handshakes, ledger);
    return EC_SECRET_LATE;
}

static enum ec_secret_fate secret_add_for(ec_handshakes *handshakes, struct ec_secret secret,
                                          const struct ec_flow *flow, uint64_t time)
{
    enum ec_secret_fate fate;

    memcpy(secret.client_random, flow->client_random, EC_RANDOM_LEN);
    secret.of_server = false;
    fate = secret_add(handshakes, &secret, time);
    ledger_add(handshakes, flow->client_random)->of_server = true;
    explicit_bzero(&secret, sizeof(secret));
    return fate;
}

enum ec_secret_fate ec_handshakes_add_secret(ec_handshakes *handshakes, const struct ec_secret *secret, uint64_t time)
{
    const struct ec_flow *flow = secret->of_server ? flow_find_server(handshakes, secret->client_random) : NULL;

    return flow ? secret_add_for(handshakes, *secret, flow, time) : secret_add(handshakes, secret, time);
}

/* The flow's ServerHello has just been read: what came for its random is the client random's. */
static void flow_claim(ec_handshakes *handshakes, const struct ec_flow *flow)
{
    struct ledger *ledger = flow->has_random ? ledger_get(handshakes, flow->server_random) : NULL;
    g_autoptr(GArray) secrets = NULL;

    if (!ledger || !ledger_is_of_server(ledger))
        return;
    secrets = ledger->pending;
    ledger->pending = g_array_new(FALSE, FALSE, sizeof(struct ec_secret));
    for (guint i = 0; i < secrets->len; i++)
        secret_add_for(handshakes, g_array_index(secrets, struct ec_secret, i), flow, ledger->time);
    secrets_wipe(secrets);
}

/* Whether the secrets were tried and with what result, as far as that is known by now. */
static enum ec_proof_state get_proof_state(const ec_handshakes *handshakes, const struct ec_flow *flow)
{
    struct ledger *ledger = flow->has_random ? ledger_get(handshakes, flow->client_random) : NULL;

    if (!ledger || !handshakes->verify)
        return EC_PROOF_UNCHECKED;
    if (ledger->proof)
        ledger->proof_state = ec_proof_get_state(ledger->proof);
    if (ledger->proof_state != EC_PROOF_OPEN)
        g_clear_pointer(&ledger->proof, ec_proof_free);
    return ledger->proof_state;
}

/* Likewise, if nothing more came. */
static enum ec_proof_state get_end_state(const ec_handshakes *handshakes, const struct ec_flow *flow)
{
    enum ec_proof_state state = get_proof_state(handshakes, flow);
    const struct ledger *ledger = flow->has_random ? ledger_get(handshakes, flow->client_random) : NULL;

    return state == EC_PROOF_OPEN && ledger && ledger->proof ? ec_proof_get_end_state(ledger->proof) : state;
}

static void count_proof(ec_handshakes *handshakes, const struct ec_flow *flow)
{
    enum ec_proof_state state = get_end_state(handshakes, flow);

    handshakes->counts.verified += state == EC_PROOF_VERIFIED;
    handshakes->counts.wrong += state == EC_PROOF_WRONG;
}

static void count_without(ec_handshakes *handshakes, const struct ec_flow *flow)
{
    struct ledger *ledger = flow->has_random ? ledger_get(handshakes, flow->client_random) : NULL;
    const char *reason = flow->reason ? flow->reason : reason_broken_off;
    /* It may have come between the packet that missed it and the handshake's last one. */
    bool late = flow->missed && ledger && ledger->missed & ledger->got;

    if (late)
        reason = reason_late;
    handshakes->counts.without_secrets++;
    ec_misses_add(handshakes->misses, reason, flow->comm);
    if (!ledger || !flow->missed)
        return;
    ledger->reason = reason;
    memcpy(ledger->comm, flow->comm, sizeof(ledger->comm));
}

static void flow_remove(ec_handshakes *handshakes, struct ec_flow *flow)
{
    if (!flow->settled && flow->version != 0)
        count_without(handshakes, flow);
    else if (flow->settled && !flow->missed)
        count_proof(handshakes, flow);
    g_queue_remove(&handshakes->flow_order, flow);
    g_hash_table_remove(handshakes->flows, flow);
}

static struct ec_flow *flow_get(const ec_handshakes *handshakes, const struct ec_segment *segment,
                                const struct ec_flow_rules *rules)
{
    struct ec_flow key = {.rules = rules, .client = segment->source, .server = segment->destination};

    if (g_hash_table_size(handshakes->flows) == 0)
        return NULL;
    return g_hash_table_lookup(handshakes->flows, &key);
}

/* The flow that a segment opens, in the place of the old one of the same endpoints, if there is one. */
static struct ec_flow *flow_open(ec_handshakes *handshakes, const struct ec_segment *segment,
                                 const struct ec_flow_rules *rules, struct ec_flow *old)
{
    struct ec_flow *flow = rules->open(segment);

    if (rules->transport == EC_TRANSPORT_TCP)
        ec_older_add_young(handshakes->older, segment);
    if (!flow)
        return old;
    if (old) {
        /* A QUIC Retry: another connection ID, the same handshake. */
        flow->greeted =
            old->greeted && flow->has_random && !memcmp(flow->client_random, old->client_random, EC_RANDOM_LEN);
        flow_remove(handshakes, old);
    }
    while (g_queue_get_length(&handshakes->flow_order) >= FLOWS_MAX)
        flow_remove(handshakes, g_queue_peek_head(&handshakes->flow_order));
    flow->rules = rules;
    flow->client = segment->source;
    flow->server = segment->destination;
    g_hash_table_add(handshakes->flows, flow);
    g_queue_push_tail(&handshakes->flow_order, flow);
    return flow;
}

/* Once its random is known, its secrets are worth waiting for. */
static void flow_greet(ec_handshakes *handshakes, struct ec_flow *flow)
{
    struct ledger *ledger;

    if (flow->greeted || !flow->has_random)
        return;
    flow->greeted = true;
    handshakes->counts.seen++;
    ec_addresses_add(
        handshakes->addresses, flow->client_random,
        &(struct ec_address){.client = flow->client, .server = flow->server, .transport = flow->rules->transport});
    ledger = ledger_add(handshakes, flow->client_random);
    ledger->hello = true;
    if (!handshakes->verify || ledger->proof || ledger->proof_state != EC_PROOF_OPEN)
        return;
    ledger->proof = ec_proof_new();
    for (guint i = 0; i < ledger->pending->len; i++)
        ec_proof_add_secret(ledger->proof, &g_array_index(ledger->pending, struct ec_secret, i));
}

/* A segment of a flow whose secrets may be tried. */
static void flow_prove(ec_handshakes *handshakes, const struct ec_flow *flow, const struct ec_segment *segment)
{
    struct ledger *ledger = handshakes->verify && flow->has_random ? ledger_get(handshakes, flow->client_random) : NULL;
    enum ec_side side = ec_endpoint_equal(&segment->source, &flow->client) ? EC_SIDE_CLIENT : EC_SIDE_SERVER;

    if (ledger && ledger->proof)
        flow->rules->prove(ledger->proof, side, segment);
}

/* All secrets have gone out: only the records to try them on are missing. */
static void flow_finish_proof(ec_handshakes *handshakes, struct ec_flow *flow, const struct ec_segment *segment)
{
    const unsigned side = 1u << (ec_endpoint_equal(&segment->source, &flow->client) ? EC_SIDE_CLIENT : EC_SIDE_SERVER);

    flow_prove(handshakes, flow, segment);
    flow->ended |= segment->flags & EC_TCP_RST ? BOTH_SIDES : segment->flags & EC_TCP_FIN ? side : 0;
    if (get_proof_state(handshakes, flow) != EC_PROOF_OPEN || flow->ended == BOTH_SIDES)
        flow_remove(handshakes, flow);
}

/* By which a new flow begins; a flow that is there keeps its own. RFC 9443: a QUIC long header has the top bit set. */
static const struct ec_flow_rules *get_rules(const struct ec_segment *segment)
{
    if (segment->transport == EC_TRANSPORT_TCP)
        return &ec_tls_flow_rules;
    return segment->payload_len > 0 && segment->payload[0] & 0x80 ? &ec_quic_flow_rules : &ec_dtls_flow_rules;
}

bool ec_handshakes_is_datagram(const ec_handshakes *handshakes, const struct ec_segment *segment)
{
    return segment->transport == EC_TRANSPORT_UDP &&
           (get_rules(segment)->begins(segment) ||
            ec_addresses_is_datagram(handshakes->addresses, &segment->source, &segment->destination));
}

/* A server of LibreSSL sends each encrypted message as it is made, and derives SERVER_TRAFFIC_SECRET_0 behind the last.
 */
static bool derives_behind(const ec_handshakes *handshakes, const struct ec_flow *flow, unsigned labels)
{
    const struct ledger *ledger = flow->has_random ? ledger_get(handshakes, flow->client_random) : NULL;

    return ledger && ledger->of_server && labels & EC_LABEL_BIT(SERVER_TRAFFIC_0);
}

void ec_handshakes_inspect(ec_handshakes *handshakes, const struct ec_segment *segment, struct ec_need *ret_need)
{
    const struct ec_flow_rules *rules = get_rules(segment);
    struct ec_flow *flow = flow_get(handshakes, segment, rules);
    struct ec_flow_step step = {0};

    ret_need->labels = 0;
    ret_need->older = false;
    if (rules->begins(segment) && !(flow && flow->rules == rules && rules->continues(flow, segment)))
        flow = flow_open(handshakes, segment, rules, flow);
    if (!flow) {
        ret_need->older = ec_older_check(handshakes->older, segment);
        return;
    }
    if (flow->settled) {
        flow_finish_proof(handshakes, flow, segment);
        return;
    }
    flow->rules->read(flow, ec_endpoint_equal(&segment->source, &flow->client) ? EC_SIDE_CLIENT : EC_SIDE_SERVER,
                      segment, &step);
    flow_greet(handshakes, flow);
    if (step.answered)
        flow_claim(handshakes, flow);
    flow_prove(handshakes, flow, segment);
    if (step.over) {
        flow_remove(handshakes, flow);
        return;
    }
    ret_need->labels = step.labels;
    ret_need->last = step.last;
    ret_need->patient = step.patient || derives_behind(handshakes, flow, step.labels);
    ret_need->flow = flow;
    memcpy(ret_need->client_random, flow->client_random, EC_RANDOM_LEN);
}

unsigned ec_handshakes_get_missing(const ec_handshakes *handshakes, const struct ec_need *need)
{
    const struct ledger *ledger = need->labels ? ledger_get(handshakes, need->client_random) : NULL;

    return need->labels & ~(ledger ? ledger->got : 0);
}

void ec_need_blame(const struct ec_need *need, unsigned rank, const char *reason, const char *comm)
{
    struct ec_flow *flow = need->flow;

    if (flow->reason && rank <= flow->rank)
        return;
    flow->rank = rank;
    flow->reason = reason;
    g_strlcpy(flow->comm, comm, sizeof(flow->comm));
}

void ec_handshakes_settle(ec_handshakes *handshakes, const struct ec_need *need)
{
    unsigned missing = ec_handshakes_get_missing(handshakes, need);
    struct ledger *ledger = ledger_get(handshakes, need->client_random);
    struct ec_flow *flow = need->flow;

    flow->missed |= missing != 0;
    if (ledger)
        ledger->missed |= missing;
    if (!need->last)
        return;
    flow->settled = true;
    if (flow->missed)
        count_without(handshakes, flow);
    else
        handshakes->counts.with_secrets++;
    if (flow->missed || get_proof_state(handshakes, flow) != EC_PROOF_OPEN)
        flow_remove(handshakes, flow);
}

void ec_handshakes_add_older(ec_handshakes *handshakes, const char *comm)
{
    handshakes->counts.without_secrets++;
    ec_misses_add(handshakes->misses, reason_older, comm);
}

bool ec_handshakes_take(ec_handshakes *handshakes, const uint8_t client_random[static EC_RANDOM_LEN], ec_secret_fn fn,
                        void *data)
{
    struct ledger *ledger = ledger_get(handshakes, client_random);
    bool ok = true;

    if (!ledger)
        return true;
    for (guint i = 0; ok && i < ledger->pending->len; i++) {
        const struct ec_secret *secret = &g_array_index(ledger->pending, struct ec_secret, i);

        if (!secret->unproven || ledger->hello)
            ok = fn(secret, data);
    }
    secrets_wipe(ledger->pending);
    return ok;
}

/* Secrets go out that no ClientHello was seen for; what was taken for a secret by its looks may be none. */
static void count_unmatched(ec_handshakes *handshakes, struct ledger *ledger)
{
    if (!ledger || ledger->hello || ledger->unmatched || ledger->pending->len == 0 ||
        g_array_index(ledger->pending, struct ec_secret, 0).unproven)
        return;
    ledger->unmatched = true;
    handshakes->counts.unmatched++;
}

bool ec_handshakes_expire(ec_handshakes *handshakes, uint64_t now, ec_secret_fn fn, void *data)
{
    struct waiting *waiting;

    while ((waiting = g_queue_peek_head(&handshakes->waiting))) {
        struct ledger *ledger = ledger_get(handshakes, waiting->client_random);
        uint64_t until = waiting->time + (ledger && (ledger->hello || ledger_is_of_server(ledger)) ? GRACE_NS : 0);
        bool ok;

        if (ledger && ledger->pending->len > 0 && until >= now)
            return true;
        count_unmatched(handshakes, ledger);
        ok = ec_handshakes_take(handshakes, waiting->client_random, fn, data);
        g_free(g_queue_pop_head(&handshakes->waiting));
        if (!ok)
            return false;
    }
    return true;
}

const ec_misses *ec_handshakes_get_misses(const ec_handshakes *handshakes)
{
    return handshakes->misses;
}

ec_addresses *ec_handshakes_get_addresses(const ec_handshakes *handshakes)
{
    return handshakes->addresses;
}

void ec_handshakes_get_counts(const ec_handshakes *handshakes, struct ec_handshake_counts *ret_counts)
{
    *ret_counts = handshakes->counts;
    for (const GList *link = handshakes->verify ? handshakes->flow_order.head : NULL; link; link = link->next) {
        const struct ec_flow *flow = link->data;

        if (flow->settled && !flow->missed)
            ret_counts->verified += get_end_state(handshakes, flow) == EC_PROOF_VERIFIED;
    }
}
