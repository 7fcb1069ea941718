/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-content.h"

#include <brotli/decode.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CODINGS_MAX 4
/* Bytes decoded at once. */
#define STEP (32u << 10)
/* RFC 9659: what a decoder for HTTP must take, and need not exceed (8 MiB). */
#define ZSTD_WINDOW_LOG_MAX 23

/* The first byte of a gzip member, of which there may be several (RFC 1952 section 2.2); what else follows is padding.
 */
#define GZIP_MAGIC 0x1f
#define ZLIB_HEAD 2

/* One coding that is being undone. */
struct stage {
    const struct coding *coding;
    z_stream *zlib; /* NULL: not begun */
    BrotliDecoderState *brotli;
    ZSTD_DCtx *zstd;
    bool whole;              /* the data may end here */
    bool padded;             /* what follows is none of it */
    uint8_t head[ZLIB_HEAD]; /* of deflate, whose first bytes tell how it is meant */
    size_t have;
};

/* `limit`: bytes that `content` may come to. */
typedef enum ec_content_result (*decode_function)(struct stage *stage, const uint8_t *data, size_t len, size_t limit,
                                                  GByteArray *content);

struct coding {
    const char *name;
    decode_function decode;
    size_t cost; /* bytes of memory at most: mostly its window */
};

struct ec_content_decoder {
    struct stage stages[CODINGS_MAX]; /* in the order in which they were applied */
    size_t n_stages;
    enum ec_content_result failure; /* CUT or BROKEN; WHOLE: none */
};

/* At most STEP bytes of room behind the content, and never more than one byte beyond `limit`: that byte tells cut from
 * whole. */
static size_t make_room(GByteArray *content, size_t len, size_t limit)
{
    size_t room = MIN(STEP, limit + 1 - len);

    g_byte_array_set_size(content, (guint)(len + room));
    return room;
}

static enum ec_content_result end_content(GByteArray *content, size_t len, size_t limit, enum ec_content_result result)
{
    g_byte_array_set_size(content, (guint)MIN(len, limit));
    return len > limit ? EC_CONTENT_CUT : result;
}

/* `window_bits` as inflateInit2() takes them. */
static bool zlib_begin(struct stage *stage, int window_bits)
{
    if (stage->zlib)
        return true;
    stage->zlib = g_new0(z_stream, 1);
    if (inflateInit2(stage->zlib, window_bits) == Z_OK)
        return true;
    g_clear_pointer(&stage->zlib, g_free);
    return false;
}

/* After a member's end: false if no other one begins. */
static bool zlib_begin_member(struct stage *stage, bool members)
{
    if (!stage->zlib->avail_in)
        return false;
    stage->padded = !members || *stage->zlib->next_in != GZIP_MAGIC;
    stage->whole = stage->padded || inflateReset(stage->zlib) != Z_OK;
    return !stage->whole;
}

static enum ec_content_result zlib_decode(struct stage *stage, bool members, const uint8_t *data, size_t len,
                                          size_t limit, GByteArray *content)
{
    z_stream *stream = stage->zlib;
    size_t out = content->len;
    int code = Z_OK;

    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)len;
    while (code == Z_OK && out <= limit && !stage->padded) {
        size_t room;

        if (stage->whole && !zlib_begin_member(stage, members))
            break;
        room = make_room(content, out, limit);
        stream->next_out = content->data + out;
        stream->avail_out = (uInt)room;
        code = inflate(stream, Z_NO_FLUSH);
        out += room - stream->avail_out;
        stage->whole = code == Z_STREAM_END;
        if (stage->whole)
            code = Z_OK;
    }
    if (stage->whole)
        return end_content(content, out, limit, EC_CONTENT_WHOLE);
    return end_content(content, out, limit, code == Z_BUF_ERROR || code == Z_OK ? EC_CONTENT_SHORT : EC_CONTENT_BROKEN);
}

static enum ec_content_result decode_gzip(struct stage *stage, const uint8_t *data, size_t len, size_t limit,
                                          GByteArray *content)
{
    if (!zlib_begin(stage, MAX_WBITS + 16))
        return EC_CONTENT_BROKEN;
    return zlib_decode(stage, true, data, len, limit, content);
}

/* RFC 1950 section 2.2. Without it, a first byte like this one would be a stored block's, with padding that isn't 0. */
static bool is_zlib_head(const uint8_t head[static ZLIB_HEAD])
{
    return (head[0] & 0x8f) == 0x08 && (head[0] << 8 | head[1]) % 31 == 0;
}

/* Some send it without the zlib header (RFC 9110 section 8.4.1.2, note). */
static enum ec_content_result decode_deflate(struct stage *stage, const uint8_t *data, size_t len, size_t limit,
                                             GByteArray *content)
{
    while (stage->have < ZLIB_HEAD && len) {
        stage->head[stage->have++] = *data++;
        len--;
    }
    if (stage->have < ZLIB_HEAD)
        return EC_CONTENT_SHORT;
    if (!stage->zlib) {
        enum ec_content_result result;

        if (!zlib_begin(stage, is_zlib_head(stage->head) ? MAX_WBITS : -MAX_WBITS))
            return EC_CONTENT_BROKEN;
        result = zlib_decode(stage, false, stage->head, ZLIB_HEAD, limit, content);
        if (result == EC_CONTENT_CUT || result == EC_CONTENT_BROKEN)
            return result;
    }
    return zlib_decode(stage, false, data, len, limit, content);
}

/* RFC 7692: never with the header. */
static enum ec_content_result decode_raw_deflate(struct stage *stage, const uint8_t *data, size_t len, size_t limit,
                                                 GByteArray *content)
{
    if (!zlib_begin(stage, -MAX_WBITS))
        return EC_CONTENT_BROKEN;
    return zlib_decode(stage, false, data, len, limit, content);
}

static enum ec_content_result decode_brotli(struct stage *stage, const uint8_t *data, size_t len, size_t limit,
                                            GByteArray *content)
{
    BrotliDecoderResult code = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    size_t out = content->len;

    if (!stage->brotli)
        stage->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (!stage->brotli)
        return EC_CONTENT_BROKEN;
    while (code == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && out <= limit && !stage->whole) {
        size_t room = make_room(content, out, limit);
        uint8_t *next = content->data + out;
        size_t left = room;

        code = BrotliDecoderDecompressStream(stage->brotli, &len, &data, &left, &next, NULL);
        out += room - left;
    }
    if (code == BROTLI_DECODER_RESULT_ERROR)
        return end_content(content, out, limit, EC_CONTENT_BROKEN);
    stage->whole |= code == BROTLI_DECODER_RESULT_SUCCESS;
    return end_content(content, out, limit, stage->whole ? EC_CONTENT_WHOLE : EC_CONTENT_SHORT);
}

static bool zstd_begin(struct stage *stage)
{
    if (!stage->zstd)
        stage->zstd = ZSTD_createDCtx();
    return stage->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(stage->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
}

static enum ec_content_result decode_zstd(struct stage *stage, const uint8_t *data, size_t len, size_t limit,
                                          GByteArray *content)
{
    ZSTD_inBuffer in = {data, len, 0};
    size_t out = content->len, code = stage->whole ? 0 : 1;
    bool stuck = false;

    if (!stage->zstd && !zstd_begin(stage))
        return EC_CONTENT_BROKEN;
    while (out <= limit && !stuck && !(code == 0 && in.pos == in.size)) {
        size_t room = make_room(content, out, limit), before = in.pos;
        ZSTD_outBuffer buffer = {content->data + out, room, 0};

        code = ZSTD_decompressStream(stage->zstd, &buffer, &in);
        if (ZSTD_isError(code))
            return end_content(content, out, limit, EC_CONTENT_BROKEN);
        out += buffer.pos;
        stuck = buffer.pos == 0 && in.pos == before;
    }
    stage->whole = code == 0;
    return end_content(content, out, limit, stage->whole ? EC_CONTENT_WHOLE : EC_CONTENT_SHORT);
}

static enum ec_content_result decode_nothing(struct stage *stage, const uint8_t *data, size_t len, size_t limit,
                                             GByteArray *content)
{
    size_t room = limit - content->len;

    (void)stage;
    g_byte_array_append(content, data, (guint)MIN(len, room));
    return len > room ? EC_CONTENT_CUT : EC_CONTENT_WHOLE;
}

/* zlib.h: a window of 32 KiB and some 7 KiB; RFC 7932 section 9.1: a window of 16 MiB at most. */
static const struct coding codings_known[] = {
    {"gzip", decode_gzip, 48u << 10},
    {"x-gzip", decode_gzip, 48u << 10},
    {"deflate", decode_deflate, 48u << 10},
    {"br", decode_brotli, 17u << 20},
    {"zstd", decode_zstd, 9u << 20},
    {"identity", decode_nothing, 0},
    {"", decode_nothing, 0},
    {"permessage-deflate", decode_raw_deflate, 48u << 10},
};

static const struct coding *find_coding(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(codings_known); i++)
        if (!g_ascii_strcasecmp(codings_known[i].name, name))
            return &codings_known[i];
    return NULL;
}

bool ec_content_is_plain(const char *codings)
{
    g_auto(GStrv) words = g_strsplit(codings, ",", -1);

    for (char **word = words; *word; word++)
        if (*g_strstrip(*word) && g_ascii_strcasecmp(*word, "identity"))
            return false;
    return true;
}

ec_content_decoder *ec_content_decoder_new(const char *codings)
{
    g_auto(GStrv) words = g_strsplit(codings, ",", CODINGS_MAX + 1);
    g_autoptr(ec_content_decoder) decoder = g_new0(ec_content_decoder, 1);

    if (g_strv_length(words) > CODINGS_MAX)
        return NULL;
    for (char **word = words; *word; word++) {
        const struct coding *coding = find_coding(g_strstrip(*word));

        if (!coding)
            return NULL;
        decoder->stages[decoder->n_stages++].coding = coding;
    }
    if (decoder->n_stages == 0)
        decoder->stages[decoder->n_stages++].coding = find_coding("identity");
    return g_steal_pointer(&decoder);
}

void ec_content_decoder_free(ec_content_decoder *decoder)
{
    if (!decoder)
        return;
    for (size_t i = 0; i < decoder->n_stages; i++) {
        struct stage *stage = &decoder->stages[i];

        if (stage->zlib)
            inflateEnd(stage->zlib);
        g_free(stage->zlib);
        BrotliDecoderDestroyInstance(stage->brotli);
        ZSTD_freeDCtx(stage->zstd);
    }
    g_free(decoder);
}

size_t ec_content_decoder_get_cost(const ec_content_decoder *decoder)
{
    size_t cost = sizeof(*decoder);

    for (size_t i = 0; i < decoder->n_stages; i++)
        cost += decoder->stages[i].coding->cost;
    return cost;
}

enum ec_content_result ec_content_decoder_take(ec_content_decoder *decoder, const uint8_t *data, size_t len, size_t max,
                                               GByteArray *content)
{
    g_autoptr(GByteArray) input = NULL;
    enum ec_content_result result = EC_CONTENT_WHOLE;

    if (decoder->failure)
        return decoder->failure;
    for (size_t i = decoder->n_stages; i-- > 0;) {
        struct stage *stage = &decoder->stages[i];
        GByteArray *output = i ? g_byte_array_new() : content;
        enum ec_content_result step = stage->coding->decode(stage, data, len, output->len + max, output);

        if (result == EC_CONTENT_WHOLE || step == EC_CONTENT_BROKEN)
            result = step;
        g_clear_pointer(&input, g_byte_array_unref);
        if (!i)
            break;
        input = output;
        data = input->data;
        len = input->len;
    }
    if (result == EC_CONTENT_CUT || result == EC_CONTENT_BROKEN)
        decoder->failure = result;
    return result;
}

enum ec_content_result ec_content_decode(const char *codings, const uint8_t *data, size_t len, size_t max,
                                         GByteArray **ret_content)
{
    g_autoptr(ec_content_decoder) decoder = ec_content_decoder_new(codings);
    enum ec_content_result result;

    *ret_content = decoder ? g_byte_array_new() : NULL;
    if (!decoder)
        return EC_CONTENT_UNKNOWN;
    result = ec_content_decoder_take(decoder, data, MIN(len, max), max, *ret_content);
    return len > max && result != EC_CONTENT_BROKEN ? EC_CONTENT_CUT : result;
}
