--- URIs of resources: files of the sandbox, and outputs that were cut.
local url = require "codecell.http.url"

local address = {}

--- What clients may fill in.
address.file_template, address.output_template = "sandbox://{+path}", "output:///{id}{?offset}"

---@param path string absolute
---@return string
function address.of_file(path)
  return "sandbox://" .. url.encode(path, "/")
end

---@param id string
---@return string
function address.of_output(id)
  return "output:///" .. url.encode(id)
end

--- What a URI means.
---@param uri string
---@return {path: string?, output: string?, offset: integer?}? found nil: nothing of ours
function address.read(uri)
  local path = uri:match("^sandbox://(/.*)$")
  if path then
    path = url.decode(path)
    return not path:find("%z") and { path = path } or nil
  end
  local id, query = uri:match("^output:///([^/?]+)(.*)$")
  local offset = query and (query == "" and "0" or query:match("^%?offset=(%d+)$"))
  if offset and #offset <= 15 then
    return { output = url.decode(id), offset = tonumber(offset) }
  end
end

return address
