/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Plaintext of TLS connections: which records of the kernel belong to one connection, and between whom it is. */
#include "message.h"

/* EC_RECORD_PLAINTEXT. */
extern const struct ec_message_kind ec_plaintext_kind;
