-- The jobs of the suite in nginx's event loop.
local cjson = require "cjson"
local jobs = {}

local function answer(status, body)
  ngx.status = status
  ngx.header.content_length = #body
  ngx.print(body)
end

function jobs.hello()
  answer(200, '{"status":"ok"}')
end

local function get_document()
  local path = ngx.unescape_uri(ngx.var.arg_url):match("^http://[^/]+/(.*)$")
  return ngx.location.capture("/documents/" .. path)
end

function jobs.fetch()
  local response = get_document()
  answer(response.status, response.body)
end

function jobs.aggregate()
  local rows = cjson.decode(get_document().body)
  local sum, groups = 0, {}
  for i = 1, #rows do
    local row = rows[i]
    sum = sum + row.score
    local group = groups[row.lang]
    if not group then
      group = {count = 0, sum = 0}
      groups[row.lang] = group
    end
    group.count = group.count + 1
    group.sum = group.sum + row.score
  end
  answer(200, cjson.encode({count = #rows, sum = sum, mean = sum / #rows, groups = groups}))
end

-- One request on a kept connection. A client library would do more for each, none of it for free.
local function get(url)
  local host, port, path = url:match("^http://([^:/]+):(%d+)(/.*)$")
  local socket = ngx.socket.tcp()
  socket:settimeouts(60000, 60000, 60000)
  local connected, problem = socket:connect(host, tonumber(port))
  if not connected then return {url = url, error = problem} end
  socket:send("GET " .. path .. " HTTP/1.1\r\nHost: " .. host .. "\r\n\r\n")
  local status = socket:receive("*l")
  local length = 0
  while true do
    local line
    line, problem = socket:receive("*l")
    if not line then return {url = url, error = problem} end
    if line == "" then break end
    length = tonumber(line:match("^[Cc]ontent%-[Ll]ength: (%d+)")) or length
  end
  local body = socket:receive(length)
  socket:setkeepalive(60000, 8192)
  return {url = url, status = tonumber(status:sub(10, 12)), body = body}
end

function jobs.batch()
  ngx.req.read_body()
  local urls = cjson.decode(ngx.req.get_body_data())
  local threads, results = {}, {}
  for i = 1, #urls do threads[i] = ngx.thread.spawn(get, urls[i]) end
  for i = 1, #urls do
    local _, result = ngx.thread.wait(threads[i])
    results[i] = result
  end
  answer(200, cjson.encode(results))
end

return jobs
