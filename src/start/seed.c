/* seed.c -- see seed.h. */
#include "seed.h"

#include "../embedded.h"
#include "../wire/pack.h"
#include "../wire/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pack_list(struct cell_packer *packer, const char *const *strings)
{
  uint32_t count = 0, i;

  while (strings[count] != NULL)
    count++;
  cell_pack_u32(packer, count);
  for (i = 0; i < count; i++)
    cell_pack_bytes(packer, strings[i], strlen(strings[i]) + 1);
}

struct cell_seed *cell_seed_new(struct cell_reactor *reactor,
                                const char *const *argv,
                                const char *const *envs, uint64_t memory,
                                const void *wire, size_t wire_length,
                                struct cell_error *error)
{
  struct cell_seed *seed = calloc(1, sizeof *seed);
  struct cell_packer packer;

  if (seed != NULL) {
    seed->reactor = reactor;
    seed->token = cell_token_new(reactor);
    seed->setup = malloc(CELL_MESSAGE_MAX);
    seed->wire = malloc(wire_length);
  }
  if (seed == NULL || seed->setup == NULL || seed->wire == NULL ||
      seed->token == 0) {
    cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "prepare a zygote");
    cell_seed_free(seed);
    return NULL;
  }
  cell_pack_start(&packer, seed->setup, CELL_MESSAGE_MAX);
  cell_pack_u64(&packer, memory);
  pack_list(&packer, argv);
  pack_list(&packer, envs);
  if (packer.failed) {
    cell_fail(error, CELL_LIMIT_EXCEEDED, E2BIG,
              "prepare a zygote: the environment takes more than %u bytes",
              CELL_MESSAGE_MAX);
    cell_seed_free(seed);
    return NULL;
  }
  seed->setup_length = packer.used;
  memcpy(seed->wire, wire, wire_length);
  seed->wire_length = wire_length;
  return seed;
}

void cell_seed_free(struct cell_seed *seed)
{
  if (seed == NULL)
    return;
  cell_token_free(seed->reactor, seed->token);
  free(seed->setup);
  free(seed->wire);
  free(seed);
}

void cell_seed_set(struct cell_seed *seed, enum cell_zygote state,
                   const char *why)
{
  if (seed == NULL)
    return;
  seed->zygote = state;
  snprintf(seed->why, sizeof seed->why, "%.255s", why);
  cell_token_post(seed->reactor, seed->token);
}

void cell_seed_heard(struct cell_seed *seed, struct cell_unpacker *unpacker)
{
  struct cell_error why = {0};
  char text[sizeof seed->why];
  uint32_t number = cell_unpack_u32(unpacker);

  cell_unpack_string(unpacker, text, sizeof text);
  if (number == 0) {
    cell_seed_set(seed, CELL_ZYGOTE_READY, "");
    return;
  }
  if (number != ECHILD) /* else the text says all */
    cell_fail(&why, CELL_SYSTEM, (int)number, "%s", text);
  cell_seed_set(seed, CELL_ZYGOTE_FAILED,
                number == ECHILD ? text : why.message);
}

/* Anew for each stem: a file's offset is one for all who have its descriptor.
 */
int cell_seed_send(const struct cell_seed *seed, struct cell_channel *channel,
                   struct cell_error *error)
{
  int fds[2], result = -1;

  fds[0] = cell_fd_memory("codecell-zygote", seed->wire, seed->wire_length);
  fds[1] = cell_fd_memory("codecell-fork", cell_zygote_library,
                          cell_zygote_library_size);
  if (fds[0] < 0 || fds[1] < 0)
    cell_fail(error, cell_kind_of(errno), errno, "prepare a zygote");
  else
    result = cell_channel_send(channel, CELL_STEM_SEED, 0, seed->setup,
                               seed->setup_length, fds, 2, error);
  cell_fd_close(&fds[0]);
  cell_fd_close(&fds[1]);
  return result;
}
