/* embedded.h -- files that are built into the module (generated as C arrays).
 */
#ifndef CELL_EMBEDDED_H
#define CELL_EMBEDDED_H

#include <stddef.h>

/* The static executable of the stem, the warden and the relay. */
extern const unsigned char cell_warden_program[];
extern const size_t cell_warden_program_size;

/* The shared object by which an interpreter becomes a zygote. */
extern const unsigned char cell_zygote_library[];
extern const size_t cell_zygote_library_size;

/* Programs that keep a session inside; the last entry has the name NULL. */
struct cell_embedded_kernel {
  const char *name;
  const unsigned char *bytes;
  size_t size;
};

extern const struct cell_embedded_kernel cell_embedded_kernels[];

#endif
