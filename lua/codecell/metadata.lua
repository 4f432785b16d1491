--- What users note of a file: names and values that travel as fields of HTTP.
local errors = require "codecell.errors"
local fields = require "codecell.http.fields"

local metadata = {}

local NAME_MOST = 246 -- bytes: what a name of an attribute has, less "user.e2b."
local MOST = 4096 -- bytes of all, each with its end

--- Whether all of it can be kept with a file.
---@param what string begins the message of an error
---@param given table<string, string>
---@return true? ok
---@return codecell.Error? err kind "invalid_argument"
function metadata.check(what, given)
  local size = 0
  for name, value in pairs(given) do
    size = size + #name + #value + 2
    if not fields.is_token(name) or value:find("[^\32-\126]") or #name > NAME_MOST then
      return nil, errors.new("invalid_argument", ("%s: metadata %q: letters, digits and a few "
        .. "signs in its name of at most %d bytes, printable ASCII in its value"):format(what,
        name:sub(1, NAME_MOST), NAME_MOST))
    elseif size > MOST then
      return nil, errors.new("invalid_argument",
        ("%s: metadata of a file has at most %d bytes"):format(what, MOST))
    end
  end
  return true
end

return metadata
