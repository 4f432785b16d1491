-- audit_file.lua -- an audit in a folder of its own, which ends with the test.
local codecell = require "codecell"
local shell = require "spec.support.shell"

--- Call inside `describe` with busted's `before_each` and `after_each`: answers a table with
--- `folder`, `path`, and what can be done with the file there.
return function(before_each, after_each)
  local file = {}

  before_each(function()
    file.folder = shell.folder()
    file.path = file.folder .. "/audit.jsonl"
  end)

  after_each(function()
    shell.remove(file.folder)
  end)

  --- The audit, by options of `codecell.audit.open`.
  function file.open(given)
    given = given or {}
    given.path = given.path or file.path
    return codecell.assert(codecell.audit.open(given))
  end

  function file.verify(given)
    return codecell.assert(codecell.audit.verify(file.path, given))
  end

  function file.records()
    local list = {}
    codecell.assert(codecell.audit.read(file.path, function(record)
      list[#list + 1] = record
    end))
    return list
  end

  return file
end
