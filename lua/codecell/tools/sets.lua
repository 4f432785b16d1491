--- The sets of tools that a kit can have.
return {
  names = { "recommended", "actions", "cortex" },
  actions = require("codecell.tools.compatible").actions,
  cortex = require("codecell.tools.compatible").cortex,
  recommended = require "codecell.tools.recommended",
}
