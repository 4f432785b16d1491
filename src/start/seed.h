/* seed.h -- what the zygote of a stem is made of, and whether it is there. */
#ifndef CELL_SEED_H
#define CELL_SEED_H

#include "../wire/channel.h"
#include "../wire/pack.h"

/* Of the interpreter that kernels are forked from. */
enum cell_zygote {
  CELL_ZYGOTE_STARTING,
  CELL_ZYGOTE_READY,
  CELL_ZYGOTE_FAILED /* there is none, or none any more */
};

struct cell_seed {
  struct cell_reactor *reactor; /* borrowed */
  uint32_t token;               /* posted when `zygote` changes */
  enum cell_zygote zygote;
  char why[256];        /* it has failed */
  unsigned char *setup; /* payload of STEM_SEED */
  size_t setup_length;
  unsigned char *wire; /* frames that it reads before it is sealed */
  size_t wire_length;
};

/* Copies all. Lists end with NULL. Belongs to a stem of that reactor. */
struct cell_seed *cell_seed_new(struct cell_reactor *reactor,
                                const char *const *argv,
                                const char *const *envs, uint64_t memory,
                                const void *wire, size_t wire_length,
                                struct cell_error *error);
void cell_seed_free(struct cell_seed *seed);
/* Tell a stem, right after its setup. */
int cell_seed_send(const struct cell_seed *seed, struct cell_channel *channel,
                   struct cell_error *error);
/* What the stem knows of the zygote; a seed that is NULL has none. */
void cell_seed_set(struct cell_seed *seed, enum cell_zygote state,
                   const char *why);
/* A message CELL_STEM_ZYGOTE. */
void cell_seed_heard(struct cell_seed *seed, struct cell_unpacker *unpacker);

#endif
