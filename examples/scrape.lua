-- scrape.lua [URL [NAME_SERVER ADDRESS]] -- code reads a web page and finds its
-- title. As api.lua, with a page instead of JSON.
local codecell = require "codecell"

local URL = arg[1] or "https://example.com/"
local NAME_SERVER, ADDRESS = arg[2], arg[3]

local CODE = [[
import html.parser, urllib.request

class Titles(html.parser.HTMLParser):
    inside, found = False, ""
    def handle_starttag(self, tag, attributes):
        self.inside = tag == "title"
    def handle_endtag(self, tag):
        self.inside = False
    def handle_data(self, data):
        if self.inside:
            self.found += data

with urllib.request.urlopen("URL", timeout=30) as answer:
    titles = Titles()
    titles.feed(answer.read(1 << 20).decode(answer.headers.get_content_charset("utf-8")))
titles.found.strip()
]]

codecell.setup { name_servers = { NAME_SERVER } }
local sandbox = codecell.assert(codecell.create {
  network = { allow = { URL:match "^https?://([^/]+)", ADDRESS } },
})
local execution = codecell.assert(sandbox:run_code((CODE:gsub("URL", function()
  return URL
end))))
sandbox:close()
if execution.error then
  io.stderr:write(execution.error.traceback, "\n")
  for _, refusal in ipairs(execution.refused) do
    io.stderr:write(refusal.message, "\n")
  end
  os.exit(1, true)
end
print(execution.text)
