# UI messages of the Vercel AI SDK (version 5 and later), published as `onFinish` gives them: {id: CHAT, messages: [...]}. The page beside this file says how.

# Who asked: headers that the server sets, never anything that a browser sends.
(.headers["recap-org"] // error("the header `recap-org` is missing: it says whose conversation this is")) as $org
| .headers["recap-user"] as $user
| (.headers["recap-agent"] | if . then tonumber else null end) as $agent
| .timestamp as $published
| .value
| {orgId: $org, conversationId: .id} as $of

# The history is published with each answer: what is new begins with the last message of the user.
| .messages
| ([to_entries[] | select(.value.role == "user") | .key] | last // 0) as $turn
| .[$turn:]
| to_entries[]
| .key as $number
| .value
| . as $message
# Without a `createdAt` in the metadata, messages of a turn are a millisecond apart.
| ((.metadata.createdAt? // ($published + $number)) | if type == "number" then time_of_millis else . end) as $created
| ([.parts[] | select((.type == "dynamic-tool") or (.type | startswith("tool-")))]) as $calls

| {
    type: "message.upserted",
    data: ($of + {
      messageId: .id,
      role,
      createdAt: $created,
      text: ([.parts[] | select(.type == "text") | .text] | join("\n\n")),
      model: .metadata.model?,
      finishReason: .metadata.finishReason?,
      usage: (.metadata.usage? | if . then {inputTokens, outputTokens, totalTokens} else null end),
      attachmentCount: ([.parts[] | select(.type == "file")] | length),
      userId: $user,
      agentId: $agent
    })
  },
  (
    $calls[]
    | (if .type == "dynamic-tool" then .toolName else .type[5:] end) as $tool
    # Ids of calls are the model provider's, and may be counted anew in each message.
    | "\($message.id)/\(.toolCallId)" as $call
    | select(.state != "input-streaming")
    | {
        type: "tool_call.started",
        data: ($of + {toolCallId: $call, toolName: $tool, args: .input, messageId: $message.id, startedAt: $created})
      },
      (
        select(.state == "output-available" or .state == "output-error" or .state == "output-denied")
        | {
            type: "tool_call.finished",
            data: ($of + {toolCallId: $call, toolName: $tool}
              + if .state == "output-available" then {result: .output} else {error: (.errorText // .state)} end)
          }
      )
  )
