/* noise.c -- see noise.h. */
#include "noise.h"

#include <stddef.h>
#include <string.h>

/* In docs/design.md, too. */
static const char *const anywhere[] = {
  ".cache", ".git",          ".ipynb_checkpoints", ".mypy_cache",
  ".npm",   ".pytest_cache", ".ruff_cache",        ".tox",
  ".venv",  "__pycache__",   "node_modules",
};
static const char *const at_home[] = {
  ".Rhistory",
  ".bash_history",
  ".bun",
  ".bundle",
  ".cargo",
  ".conda",
  ".config/go",
  ".config/matplotlib",
  ".config/pip",
  ".deno",
  ".dotnet",
  ".gem",
  ".gradle",
  ".ipython",
  ".irb_history",
  ".java",
  ".julia",
  ".jupyter",
  ".lesshst",
  ".local/lib",
  ".local/share/jupyter",
  ".local/state",
  ".m2",
  ".node_repl_history",
  ".nuget",
  ".nv",
  ".python_history",
  ".rustup",
  ".wget-hsts",
  ".yarn",
  "go/pkg",
};

int noise_is(const char *path, const char *name)
{
  size_t i;

  for (i = 0; i < sizeof anywhere / sizeof anywhere[0]; i++)
    if (strcmp(name, anywhere[i]) == 0)
      return 1;
  for (i = 0; i < sizeof at_home / sizeof at_home[0]; i++)
    if (strcmp(path, at_home[i]) == 0)
      return 1;
  return 0;
}
