/* tokens.c -- see tokens.h. */
#include "tokens.h"

#include <stdlib.h>

void cell_tokens_start(struct cell_tokens *tokens)
{
  *tokens = (struct cell_tokens){NULL, 0, 0, 0, 0, 0};
}

void cell_tokens_clear(struct cell_tokens *tokens)
{
  free(tokens->entries);
  cell_tokens_start(tokens);
}

static uint32_t number_never_used(struct cell_tokens *tokens)
{
  if (tokens->count == tokens->size) {
    uint32_t size = tokens->size > 0 ? tokens->size * 2 : 32;
    struct cell_token_entry *entries =
      realloc(tokens->entries, size * sizeof *entries);

    if (entries == NULL)
      return 0;
    tokens->entries = entries;
    tokens->size = size;
    if (tokens->count == 0)
      tokens->count = 1;
  }
  return tokens->count++;
}

uint32_t cell_tokens_new(struct cell_tokens *tokens)
{
  uint32_t token = tokens->first_free;

  if (token != 0)
    tokens->first_free = tokens->entries[token].next;
  else
    token = number_never_used(tokens);
  if (token != 0)
    tokens->entries[token] = (struct cell_token_entry){0, 1, 0};
  return token;
}

static void make_free(struct cell_tokens *tokens, uint32_t token)
{
  tokens->entries[token].next = tokens->first_free;
  tokens->first_free = token;
}

void cell_tokens_free(struct cell_tokens *tokens, uint32_t token)
{
  if (token == 0)
    return;
  tokens->entries[token].used = 0;
  /* One that is in the list of news becomes free when it leaves it. */
  if (!tokens->entries[token].posted)
    make_free(tokens, token);
}

void cell_tokens_post(struct cell_tokens *tokens, uint32_t token)
{
  if (token == 0 || tokens->entries[token].posted)
    return;
  tokens->entries[token].posted = 1;
  tokens->entries[token].next = 0;
  if (tokens->first_posted == 0)
    tokens->first_posted = token;
  else
    tokens->entries[tokens->last_posted].next = token;
  tokens->last_posted = token;
}

uint32_t cell_tokens_take(struct cell_tokens *tokens)
{
  while (tokens->first_posted != 0) {
    uint32_t token = tokens->first_posted;

    tokens->first_posted = tokens->entries[token].next;
    tokens->entries[token].posted = 0;
    if (tokens->entries[token].used)
      return token;
    make_free(tokens, token);
  }
  return 0;
}
