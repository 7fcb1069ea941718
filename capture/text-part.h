/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Shows in parts what would else be shown too late or never: messages whose body takes long to come, or has no end. The
 * first part has the header, the last one the trailers; a message that ends in time stays whole.
 *
 * | content                                  | first part after | cut                     | next parts    |
 * | text/event-stream                        | 10 ms            | behind whole events     | as they come  |
 * | application/grpc                         | 10 ms            | a part per gRPC message | as they come  |
 * | application/x-ndjson and the like        | 10 ms            | behind whole lines      | as they come  |
 * | text/…, application/json; unknown length | 1 s              | behind whole lines      | each second   |
 * | other                                    | 1 s              | anywhere                | each second, up to 4 MiB in
 * all |
 *
 * An event or line that doesn't end is shown after a second, or 64 KiB. Content codings are undone as it comes; their
 * memory is bounded by ec_text_budget.decoding_max, beyond which a message is shown whole at its end.
 */
#include "text-message.h"

/* Emits what can be shown by now (ns since the epoch) of a message in the making, whose header is whole. True if some
 * of it waits: ask again. */
bool ec_text_part_emit(ec_text_message *message, const struct ec_text_receiver *receiver, uint64_t now);
/* The message is whole: emits it, or what is left of it. Takes it. */
void ec_text_part_finish(ec_text_message *message, const struct ec_text_receiver *receiver);

void ec_text_parts_free(struct ec_text_parts *parts, struct ec_text_budget *budget);
