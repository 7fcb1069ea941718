/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where a program file holds the NSS key-log labels as C strings, where its code loads their addresses, and which
 * functions then get them as their second argument.
 */
#include "code-flow.h"
#include "keylog.h"

/* What one pass over the file's strings tells. */
struct ec_label_strings {
    GArray *places;       /* struct ec_label_place */
    uint32_t labels;      /* bit per enum ec_secret_label that has a place */
    bool names_boringssl; /* its name or its sources' path stands in the file; AWS-LC likewise */
};
struct ec_label_place {
    uint64_t address;
    enum ec_secret_label label;
};
/* A label may be the tail of a longer string, as linkers merge them. At most 64 places. */
void ec_label_strings_find(const struct ec_elf_image *image, struct ec_label_strings *ret_strings);
/* The same of any other text, shorter than the longest label, which counts as label 0. */
void ec_label_strings_find_text(const struct ec_elf_image *image, const char *text,
                                struct ec_label_strings *ret_strings);
void ec_label_strings_clear(struct ec_label_strings *strings);

/* A function that some labels reach as the second argument of a call. */
struct ec_label_taker {
    uint64_t address;
    uint64_t call;   /* address of the instruction that calls it, the last that was seen */
    uint32_t labels; /* bit per enum ec_secret_label */
};
/* A function that labels reach as another argument. */
struct ec_label_passage {
    uint64_t address;
    uint64_t call; /* likewise */
    uint32_t labels;
    int argument; /* from 0 */
};
struct ec_label_use {
    GArray *takers;      /* struct ec_label_taker, by descending number of labels */
    GArray *passages;    /* struct ec_label_passage; at most 64 */
    GArray *references;  /* uint64_t: addresses of the instructions that load a label's address; at most 512 */
    uint32_t referenced; /* bit per label whose address some instruction loads */
    bool exhausted;      /* the search was cut short */
};
void ec_label_use_find(struct ec_code *code, const struct ec_elf_image *image, const struct ec_label_strings *strings,
                       struct ec_label_use *ret_use);
/* Follows the labels into the functions that get them as another argument than the second; takers are then also the
 * callees that get, with the label as their second argument, that function's own first one as their first. */
void ec_label_use_deepen(struct ec_code *code, struct ec_label_use *use);
void ec_label_use_clear(struct ec_label_use *use);
