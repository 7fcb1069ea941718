/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sink.h"

G_DEFINE_QUARK(ec - sink - error - quark, ec_sink_error)
