/* tokens.h -- numbers of objects that have news, in the order of the news. */
#ifndef CELL_TOKENS_H
#define CELL_TOKENS_H

#include <stdint.h>

struct cell_token_entry {
  uint32_t next;      /* in the list of news, or of free numbers */
  unsigned char used; /* has an owner */
  unsigned char posted;
};

struct cell_tokens {
  struct cell_token_entry *entries; /* entries[0] is never given out */
  uint32_t count, size;
  uint32_t first_free;
  uint32_t first_posted, last_posted;
};

void cell_tokens_start(struct cell_tokens *tokens);
void cell_tokens_clear(struct cell_tokens *tokens);
uint32_t cell_tokens_new(struct cell_tokens *tokens); /* 0: out of memory */
void cell_tokens_free(struct cell_tokens *tokens, uint32_t token);
void cell_tokens_post(struct cell_tokens *tokens, uint32_t token);
uint32_t cell_tokens_take(struct cell_tokens *tokens); /* 0: no news */

#endif
