/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Text mode: what programs say over TLS, shells run and databases are asked, one block or JSON line each, as soon as
 * it is whole. Memory is bounded whatever comes and however slow the reader is; what that costs is told.
 */
#include "sink.h"
#include "text-output.h"

/* Bytes of a body that are ever kept, and so the greatest shown_max that makes a difference. */
#define EC_TEXT_SHOWN_MAX (4u << 20)

enum ec_text_color { EC_TEXT_COLOR_AUTO, EC_TEXT_COLOR_ALWAYS, EC_TEXT_COLOR_NEVER };

struct ec_text_config {
    struct ec_text_output_config output;
    bool json;                /* lines of JSON instead of blocks; no colours */
    bool hex;                 /* bodies and data always as a hexdump; blocks only */
    enum ec_text_color color; /* AUTO: on a terminal, unless NO_COLOR is set or TERM is "dumb" */
    size_t shown_max;         /* bytes of a body, data, command or statement that are shown; 0: all that is kept */
};

/* NULL with EC_SINK_ERROR if the output can't be opened. */
struct ec_sink *ec_text_sink_new(const struct ec_text_config *config, GError **error);

struct ec_text_counts {
    uint64_t shown;   /* events written, or waiting to be */
    uint64_t dropped; /* events not shown: the reader was too slow */
};
/* `sink` is one of ec_text_sink_new(). */
struct ec_text_counts ec_text_sink_get_counts(const struct ec_sink *sink);
