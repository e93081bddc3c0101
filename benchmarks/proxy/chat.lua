-- What wrk sends: a small chat request, streamed where STREAM is set, with the token of the environment.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")
local prompt = string.rep("Tell me about foxes and dogs. ", 20)
local stream = os.getenv("STREAM") and ',"stream":true' or ""
wrk.body = '{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are a helpful assistant."},'
    .. '{"role":"user","content":"' .. prompt .. '"}],"temperature":0.5,"max_tokens":256' .. stream .. "}"
