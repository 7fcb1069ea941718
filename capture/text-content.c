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

typedef enum ec_content_result (*decoder)(const uint8_t *data, size_t len, size_t max, GByteArray *content);

/* At most STEP bytes of room behind the content, and never more than one byte beyond `max`: that byte tells cut from
 * whole. */
static size_t make_room(GByteArray *content, size_t len, size_t max)
{
    size_t room = MIN(STEP, max + 1 - len);

    g_byte_array_set_size(content, (guint)(len + room));
    return room;
}

static enum ec_content_result end_content(GByteArray *content, size_t len, size_t max, enum ec_content_result result)
{
    g_byte_array_set_size(content, (guint)MIN(len, max));
    return len > max ? EC_CONTENT_CUT : result;
}

/* `window_bits` as inflateInit2() takes them. */
static enum ec_content_result inflate_as(int window_bits, const uint8_t *data, size_t len, size_t max,
                                         GByteArray *content)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};
    size_t out = 0;
    int code = Z_OK;

    if (inflateInit2(&stream, window_bits) != Z_OK)
        return EC_CONTENT_BROKEN;
    while (out <= max) {
        size_t room = make_room(content, out, max);

        stream.next_out = content->data + out;
        stream.avail_out = (uInt)room;
        code = inflate(&stream, Z_NO_FLUSH);
        out += room - stream.avail_out;
        if (code == Z_STREAM_END && stream.avail_in && *stream.next_in == GZIP_MAGIC && window_bits > MAX_WBITS)
            code = inflateReset(&stream);
        else if (code != Z_OK)
            break;
    }
    inflateEnd(&stream);
    if (code == Z_STREAM_END)
        return end_content(content, out, max, EC_CONTENT_WHOLE);
    return end_content(content, out, max, code == Z_BUF_ERROR || code == Z_OK ? EC_CONTENT_SHORT : EC_CONTENT_BROKEN);
}

static enum ec_content_result decode_gzip(const uint8_t *data, size_t len, size_t max, GByteArray *content)
{
    return inflate_as(MAX_WBITS + 16, data, len, max, content);
}

/* Some send it without the zlib header (RFC 9110 section 8.4.1.2, note). */
static enum ec_content_result decode_deflate(const uint8_t *data, size_t len, size_t max, GByteArray *content)
{
    enum ec_content_result result = inflate_as(MAX_WBITS, data, len, max, content);

    if (result != EC_CONTENT_BROKEN || content->len)
        return result;
    return inflate_as(-MAX_WBITS, data, len, max, content);
}

static enum ec_content_result decode_brotli(const uint8_t *data, size_t len, size_t max, GByteArray *content)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    BrotliDecoderResult code = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    size_t out = 0;

    if (!state)
        return EC_CONTENT_BROKEN;
    while (code == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && out <= max) {
        size_t room = make_room(content, out, max);
        uint8_t *next = content->data + out;
        size_t left = room;

        code = BrotliDecoderDecompressStream(state, &len, &data, &left, &next, NULL);
        out += room - left;
    }
    BrotliDecoderDestroyInstance(state);
    if (code == BROTLI_DECODER_RESULT_ERROR)
        return end_content(content, out, max, EC_CONTENT_BROKEN);
    return end_content(content, out, max, code == BROTLI_DECODER_RESULT_SUCCESS ? EC_CONTENT_WHOLE : EC_CONTENT_SHORT);
}

static enum ec_content_result decode_zstd(const uint8_t *data, size_t len, size_t max, GByteArray *content)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {data, len, 0};
    size_t out = 0, code = 1;
    bool stuck = false;

    if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX))) {
        ZSTD_freeDCtx(context);
        return EC_CONTENT_BROKEN;
    }
    while (out <= max && !stuck && !(code == 0 && in.pos == in.size)) {
        size_t room = make_room(content, out, max), before = in.pos;
        ZSTD_outBuffer buffer = {content->data + out, room, 0};

        code = ZSTD_decompressStream(context, &buffer, &in);
        if (ZSTD_isError(code))
            break;
        out += buffer.pos;
        stuck = buffer.pos == 0 && in.pos == before;
    }
    ZSTD_freeDCtx(context);
    if (ZSTD_isError(code))
        return end_content(content, out, max, EC_CONTENT_BROKEN);
    return end_content(content, out, max, code ? EC_CONTENT_SHORT : EC_CONTENT_WHOLE);
}

static enum ec_content_result decode_nothing(const uint8_t *data, size_t len, size_t max, GByteArray *content)
{
    g_byte_array_append(content, data, (guint)MIN(len, max));
    return len > max ? EC_CONTENT_CUT : EC_CONTENT_WHOLE;
}

static const struct {
    const char *name;
    decoder decode;
} codings_known[] = {
    {"gzip", decode_gzip}, {"x-gzip", decode_gzip},      {"deflate", decode_deflate}, {"br", decode_brotli},
    {"zstd", decode_zstd}, {"identity", decode_nothing}, {"", decode_nothing},
};

static decoder find_decoder(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(codings_known); i++)
        if (!g_ascii_strcasecmp(codings_known[i].name, name))
            return codings_known[i].decode;
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

enum ec_content_result ec_content_decode(const char *codings, const uint8_t *data, size_t len, size_t max,
                                         GByteArray **ret_content)
{
    g_auto(GStrv) words = g_strsplit(codings, ",", CODINGS_MAX + 1);
    guint n = g_strv_length(words);
    enum ec_content_result result = EC_CONTENT_WHOLE;
    g_autoptr(GByteArray) content = g_byte_array_new();

    *ret_content = NULL;
    if (n > CODINGS_MAX)
        return EC_CONTENT_UNKNOWN;
    for (guint i = 0; i < n; i++)
        if (!find_decoder(g_strstrip(words[i])))
            return EC_CONTENT_UNKNOWN;
    decode_nothing(data, len, max, content);
    if (len > max)
        result = EC_CONTENT_CUT;
    while (n-- > 0) {
        g_autoptr(GByteArray) decoded = g_byte_array_new();
        enum ec_content_result step = find_decoder(words[n])(content->data, content->len, max, decoded);

        if (result == EC_CONTENT_WHOLE || step == EC_CONTENT_BROKEN)
            result = step;
        g_byte_array_unref(content);
        content = g_steal_pointer(&decoded);
    }
    *ret_content = g_steal_pointer(&content);
    return result;
}
