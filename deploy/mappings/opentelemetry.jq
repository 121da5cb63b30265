# Spans of OpenTelemetry's GenAI conventions as a Collector's Kafka exporter publishes them, `otlp_json` or `otlp_proto`. The page beside this file says how.

def text_id: if type == "number" then tostring elif type == "string" and . != "" then . else null end;
# What a resource may say whose spans these are by: the first of these attributes that it has. What spans say of themselves is never asked.
def organization: first(.["recap.organization.id"] | text_id | strings) // null;
# Agents of the contract are numbers.
def agent_id: tostring | if test("^-?[0-9]{1,15}$") then tonumber else null end;
def count: if type == "number" and . >= 0 then . else null end;
# Content is JSON text on spans, or values.
def content: if type == "string" then . as $text | try fromjson catch $text else . end;
def recorded($name; $content): if $content == null then {} else {($name): ($content | content)} end;
def messages: content | if type == "array" then . else [] end;
def text: if . then [.[]? | select(.type == "text") | .content] | join("\n\n") else null end;

# A span's own conversation, or that of the nearest span around it in this record: tools do not carry it.
def conversation($all):
  (.named["gen_ai.conversation.id"] | text_id)
  // (.span | .traceId as $trace | .parentSpanId // empty | $all[.] | select(.span.traceId == $trace) | conversation($all));

{chat: "model", generate_content: "model", text_completion: "model", execute_tool: "tool", invoke_agent: "agent"} as $kinds
| [
  otlp_traces.resourceSpans[]?
  | (.resource.attributes | otlp_attributes | organization) as $org
  | .scopeSpans[]?.spans[]?
  | {span: ., $org, named: (.attributes | otlp_attributes)}
] as $spans
| (reduce $spans[] as $one ({}; .[$one.span.spanId // ""] = $one)) as $all
| $spans[]
| .named as $named
| .span as $span
| .org as $org
| ($kinds[$named["gen_ai.operation.name"] | strings] | strings) as $kind
| "\($span.traceId)-\($span.spanId)" as $id
| (conversation($all) // null) as $conversation
# Counted as an unknown type: which conversation it belongs to, or whose it is, is not to be known.
| if ($org and $conversation) | not then {id: $id, type: "opentelemetry.span.unassigned", time: ($span.endTimeUnixNano | time_of_nanos)} else
    {orgId: $org, conversationId: $conversation} as $of
    | {userId: ($named["user.id"] | text_id), agentId: ($named["gen_ai.agent.id"] | agent_id)} as $who
    | ($span.startTimeUnixNano | time_of_nanos) as $began
    | ($span.endTimeUnixNano | time_of_nanos) as $ended
    | ($named["error.type"] // null) as $error
    | if $kind == "agent" then
        {id: "\($id)-agent", type: "conversation.upserted", time: $ended, data: ($of + $who)}
      elif $kind == "tool" then
        {toolCallId: $id, toolName: ($named["gen_ai.tool.name"] // $span.name)} as $call
        | {
            id: "\($id)-started",
            type: "tool_call.started",
            time: $began,
            data: ($of + $call + {startedAt: $began} + recorded("args"; $named["gen_ai.tool.call.arguments"]))
          },
          {
            id: "\($id)-finished",
            type: "tool_call.finished",
            time: $ended,
            data: ($of + $call + {finishedAt: $ended}
              + if $error then {error: ($span.status.message // $error)} else recorded("result"; $named["gen_ai.tool.call.result"]) end)
          }
      else
        ($named["gen_ai.input.messages"] | messages) as $input
        # A model is given the whole history; new is what the user said after all others.
        | ([$input | to_entries[] | select(.value.role != "user") | .key] | last // -1) as $known
        | {id: "\($id)-began", type: "conversation.upserted", time: $began, data: $of},
          (
            $input | to_entries[$known + 1:][]
            | {
                id: "\($id)-user-\(.key)",
                type: "message.upserted",
                time: $began,
                data: ($of + $who + {
                  messageId: "\($id)-user-\(.key)",
                  role: "user",
                  createdAt: $began,
                  text: (.value.parts | text),
                  attachmentCount: ([.value.parts[]? | select(.type == ("blob", "file", "uri"))] | length)
                })
              }
          ),
          {
            id: "\($id)-answer",
            type: "message.upserted",
            time: $ended,
            data: ($of + $who + {
              messageId: $id,
              role: "assistant",
              createdAt: $ended,
              text: ($named["gen_ai.output.messages"] | messages | .[0].parts | text),
              model: ($named["gen_ai.response.model"] // $named["gen_ai.request.model"]),
              finishReason: (if $error then "error" else $named["gen_ai.response.finish_reasons"][0]? end),
              usage: {inputTokens: ($named["gen_ai.usage.input_tokens"] | count), outputTokens: ($named["gen_ai.usage.output_tokens"] | count)}
            })
          }
      end
  end
