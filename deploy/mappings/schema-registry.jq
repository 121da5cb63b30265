# Messages whose values a schema registry's schema decodes: Avro, JSON Schema and Protobuf alike. `.schema` says which it was.
.schema.type as $type
| .value
| (.author.role // "USER" | ascii_downcase) as $role
| {
    id: "\($type)/\(.tenant)/\(.chat)/\(.number // 0)",
    type: "message.upserted",
    time: .at,
    data: {
      orgId: .tenant,
      conversationId: "\($type)/\(.chat)",
      messageId: "\(.chat)-\(.number // 0)",
      userId: (if $role == "user" then .author.id else null end),
      role: $role,
      createdAt: .at,
      text: .text
    }
  }
