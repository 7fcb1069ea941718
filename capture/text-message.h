/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What text mode shows: one message of a connection, put together by text-http1.c or text-http2.c, printed by
 * text-print.c or text-json.c. Pure; every size has a limit, and what a limit took is told.
 */
#include "sink.h"
#include "text-content.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes of a message's body (before its content coding is undone, and after) that are kept. */
#define EC_TEXT_BODY_MAX (4u << 20)
/* Bytes of its header and trailer fields that are kept. */
#define EC_TEXT_FIELDS_MAX (256u << 10)
/* Bytes of data in no known protocol that make one message. */
#define EC_TEXT_RAW_MAX (64u << 10)

/* Bytes that all messages in the making may keep, and that the decoders of those shown in parts may. */
struct ec_text_budget {
    size_t used, max;
    size_t decoding, decoding_max;
};

/* A name and a value within ec_text_message.text. */
struct ec_text_field {
    guint32 name, name_len, value, value_len;
    bool trailer;
};

enum ec_text_kind { EC_TEXT_REQUEST, EC_TEXT_RESPONSE, EC_TEXT_DATA, EC_TEXT_KIND_MAX };

typedef struct ec_text_message {
    enum ec_text_kind kind;
    uint64_t time; /* of its first byte; ns since the epoch */
    unsigned part; /* of a message shown in parts (text-part.h): this one's number, from 1; 0: it is whole */
    bool more;     /* other parts follow */
    enum ec_direction direction;
    const char *protocol;  /* static text: "HTTP/1.1"; NULL for data in none */
    const char *what;      /* of WebSocket, static text: "text", "ping"; NULL else, or not known */
    uint32_t stream;       /* of HTTP/2, 0 else */
    char *method, *target; /* of a request; of others: of the request that it belongs to, or NULL */
    unsigned status;       /* of a response */
    char *reason;          /* likewise; NULL: none */
    GString *text;         /* the fields' names and values */
    GArray *fields;        /* of struct ec_text_field */
    bool fields_cut;       /* some were not kept */
    GByteArray *body;      /* what was kept of it */
    uint64_t body_len;     /* bytes of it that were sent: above body->len, the rest was not kept or lost */
    uint64_t lost;         /* bytes of it that the capture has lost */
    size_t intact;         /* bytes at the begin of `body` before the first loss */
    uint64_t body_time;    /* of the body's first byte */
    char *codings;         /* that have been undone, NULL: none */
    uint64_t coded_len;    /* bytes of the body before that */
    bool decoded;          /* nothing is left for ec_text_message_decode() to do */
    uint64_t grpc;         /* the body is the gRPC message of this number, from 1; 0: it is none */
    GPtrArray *notes;      /* of char *: what the reader must know about it */
    struct ec_text_budget *budget;
    size_t charged;              /* to the budget */
    struct ec_text_parts *parts; /* of text-part.c; NULL: shown whole, so far */
} ec_text_message;

/* Who gets the messages of a connection; `emit` takes the message. */
struct ec_text_receiver {
    struct ec_text_budget *budget;
    void (*emit)(ec_text_message *message, void *data);
    void *data;
};

ec_text_message *ec_text_message_new(const struct ec_text_receiver *receiver, enum ec_text_kind kind, uint64_t time,
                                     enum ec_direction direction);
void ec_text_message_free(ec_text_message *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_text_message, ec_text_message_free)

void ec_text_message_add_field(ec_text_message *message, const char *name, size_t name_len, const char *value,
                               size_t value_len, bool trailer);
/* Appends a continued line (obs-fold, RFC 9112 section 5.2) to the last field's value. */
void ec_text_message_fold_field(ec_text_message *message, const char *value, size_t value_len);
/* The value of the first header field of that name in any case, NULL if there is none. Not NUL-terminated. */
const char *ec_text_message_get_field(const ec_text_message *message, const char *name, size_t *ret_len);
/* All values of the header fields of that name, joined by commas; NULL if there is none. */
char *ec_text_message_join_fields(const ec_text_message *message, const char *name);
/* `time`: ns since the epoch. */
void ec_text_message_add_body(ec_text_message *message, uint64_t time, const uint8_t *data, size_t len);
/* `len` bytes of the body are lost here. */
void ec_text_message_add_loss(ec_text_message *message, uint64_t len);
/* Its content and transfer codings without chunked, in the order in which they were applied; NULL if there is none. */
char *ec_text_message_list_codings(const ec_text_message *message);
/* Undoes the body's codings (chunked has been undone already), and notes what is not shown as it was sent. When the
 * message is whole. */
void ec_text_message_decode(ec_text_message *message);
/* Notes what of the header, and of the body, is missing. */
void ec_text_message_note_missing(ec_text_message *message, uint64_t lost, uint64_t unkept);
/* Notes why the body isn't all that was coded, if it isn't. */
void ec_text_message_note_result(ec_text_message *message, enum ec_content_result result, const char *codings);
void ec_text_message_add_note(ec_text_message *message, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Data in no known protocol: what comes in one direction between two flushes is one message. */
struct ec_text_raw {
    ec_text_message *message; /* NULL: nothing is waiting */
};
void ec_text_raw_take(struct ec_text_raw *raw, const struct ec_text_receiver *receiver, uint64_t time,
                      enum ec_direction direction, const uint8_t *data, size_t len);
void ec_text_raw_flush(struct ec_text_raw *raw, const struct ec_text_receiver *receiver);
void ec_text_raw_clear(struct ec_text_raw *raw);
