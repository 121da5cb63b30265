# Changes of a chat application's tables as Debezium publishes them. One program for the topics of all three tables; the page beside this file says how.

def text: if type == "string" then fromjson else . end;
# A `timestamp` column is microseconds, a `timestamptz` RFC 3339.
def time: if type == "number" then time_of_micros else . end;

(.value.payload? // .value)
| . as $change
| (if .op == "d" then .before else .after end) as $row
# Messages of the connector about itself, truncations.
| select($row)
| (.source.ts_us // (.source.ts_ms * 1000) | time_of_micros) as $at
# The position in the write-ahead log: of two changes in one transaction the later has the greater id, and a change that is read again has the same. Rows of a
# snapshot all have one position, and keep the id that the record gives them.
| (if .op == "r" then null else (.source.lsn | tostring | ("0" * (18 - length)) + .) end) as $position
| def numbered($number): if $position then {id: "\($position)-\($number)"} else {} end;

if .source.table == "Chat" then
    numbered(0) + (
      {orgId: $row.organizationId, conversationId: $row.id} as $of
      | if .op == "d" then {type: "conversation.deleted", time: $at, data: $of}
        else {type: "conversation.upserted", time: $at, data: ($of + {userId: $row.userId, createdAt: ($row.createdAt | time)})} end
    )
elif .source.table == "Message_v2" then
    {orgId: $row.organizationId, conversationId: $row.chatId} as $of
    | if .op == "d" then
        numbered(0) + {type: "message.deleted", time: $at, data: ($of + {messageId: $row.id})}
      else
        ($row.parts | text) as $parts
        | numbered(0) + {
            type: "message.upserted",
            time: $at,
            data: ($of + {
              messageId: $row.id,
              role: $row.role,
              createdAt: ($row.createdAt | time),
              text: ([$parts[] | select(.type == "text") | .text] | join("\n\n")),
              attachmentCount: ($row.attachments | text | length)
            })
          },
          (
            [$parts[] | select((.type == "dynamic-tool") or (.type | startswith("tool-"))) | select(.state != "input-streaming")]
            | to_entries[]
            | .key as $number
            | .value
            | (if .type == "dynamic-tool" then .toolName else .type[5:] end) as $tool
            | "\($row.id)/\(.toolCallId)" as $call
            | (
                numbered(2 * $number + 1) + {
                  type: "tool_call.started",
                  time: $at,
                  data: ($of + {toolCallId: $call, toolName: $tool, args: .input, messageId: $row.id, startedAt: ($row.createdAt | time)})
                }
              ),
              (
                select(.state == "output-available" or .state == "output-error" or .state == "output-denied")
                | numbered(2 * $number + 2) + {
                    type: "tool_call.finished",
                    time: $at,
                    data: ($of + {toolCallId: $call, toolName: $tool}
                      + if .state == "output-available" then {result: .output} else {error: (.errorText // .state)} end)
                  }
              )
          )
      end
elif .source.table == "Vote_v2" then
    numbered(0) + (
      {orgId: $row.organizationId, conversationId: $row.chatId, feedbackId: $row.messageId} as $of
      | if .op == "d" then {type: "feedback.withdrawn", time: $at, data: $of}
        else {type: "feedback.submitted", time: $at, data: ($of + {helpful: $row.isUpvoted, messageId: $row.messageId})} end
    )
else empty end
