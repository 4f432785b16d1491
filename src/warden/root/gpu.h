/* gpu.h -- the devices of the machine's GPUs, in a root that may have them. */
#ifndef CELL_WARDEN_GPU_H
#define CELL_WARDEN_GPU_H

#include "../failure.h"

/* Bind them below `root`, at the places that they have in /dev: those of NVIDIA
** (nvidia*), of AMD (kfd), and what renders (dri/renderD*). ENODEV: there is
** none.
*/
int gpu_bind(int root, struct failure *failure);

#endif
