-- For wrk: 16 requests in one write.
function init()
  local requests = {}
  for i = 1, 16 do requests[i] = wrk.format("GET") end
  sixteen = table.concat(requests)
end

function request()
  return sixteen
end
