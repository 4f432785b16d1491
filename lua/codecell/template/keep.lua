--- Keeping the home of a sandbox in the store.
local errors = require "codecell.errors"
local layout = require "codecell.template.layout"
local pause = require "codecell.sandbox.pause"
local store = require "codecell.template.store"

local HOME = "/home/user"

local keep = {}

--- Keep what a tar stream holds as the home of a template or a snapshot.
---@param name string
---@param about table what template.json is to say besides
---@param source fun(): string?, codecell.Error? the next piece of the stream
---@param most number bytes of all files
---@return table? about complete
---@return codecell.Error? err
function keep.stream(name, about, source, most)
  local draft, err = store.begin(name)
  if not draft then
    return nil, err
  end
  local laid
  laid, err = layout.unpack(draft.root, source, most)
  if not laid then
    store.abandon(draft)
    return nil, err
  end
  about.files, about.size, about.entries = laid.files, laid.size, laid.entries
  about.created_at = os.time()
  local ok
  ok, err = store.commit(draft, about)
  return ok and about, err
end

--- Keep the files below the home of a sandbox, whose code stands still meanwhile.
---@param sandbox codecell.Sandbox
---@param name string
---@param about table
---@return table? about complete
---@return codecell.Error? err
function keep.home(sandbox, name, about)
  local ok, err = pause.hold(sandbox)
  if not ok then
    return nil, err
  end
  local archive, kept
  archive, err = sandbox.files:archive(HOME)
  if archive then
    kept, err = keep.stream(name, about, function() return archive:read() end,
      sandbox._holds)
    archive:close()
  end
  local going, problem = pause.release(sandbox)
  if kept and not going then
    return nil, problem
  end
  if not kept and err.kind == "permission_denied" and err.message:find("^archive ") then
    return nil, errors.new(err.kind, err.message, "give its owner the right to read it: chmod u+rX")
  end
  return kept, err
end

return keep
