// What the API answers, as types; the contract is crates/query/CONTRACT.md.

/**
 * @typedef {object} ToolCall
 * @property {string} toolCallId
 * @property {string | null} toolName
 * @property {unknown} args
 * @property {unknown} result
 * @property {unknown} error
 * @property {string | null} messageId
 * @property {string | null} startedAt
 * @property {string | null} finishedAt
 */

/**
 * @typedef {object} Feedback
 * @property {string} feedbackId
 * @property {boolean} helpful
 * @property {string | null} comment
 * @property {string | null} messageId
 * @property {string | null} userId
 * @property {string} createdAt
 */

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {number | null} agentId
 * @property {string | null} upstreamConversationId
 * @property {string} createdAt
 * @property {string} updatedAt
 * @property {string | null} agentName
 * @property {string | null} agentModel
 * @property {string | null} agentLogoUrl
 * @property {string | null} userId
 * @property {string | null} userEmail
 * @property {string | null} userFirstName
 * @property {string | null} userLastName
 * @property {Record<string, unknown>} userPublicMetadata
 * @property {string | null} firstMessageText
 * @property {number} userMessageCount
 * @property {number} assistantMessageCount
 * @property {number} totalMessageCount
 * @property {number} duration
 * @property {number} totalTokens
 * @property {number} inputTokens
 * @property {number} outputTokens
 * @property {number} attachmentCount
 * @property {ToolCall[]} toolCalls
 * @property {string | null} lastFinishReason
 * @property {number} totalFeedback
 * @property {number} totalHelpful
 * @property {number} totalNotHelpful
 * @property {Feedback[]} feedbackData
 * @property {Conversation[]} subConversations
 */

/** @typedef {Record<"conversationCount" | "messageCount" | "toolCalls" | "totalTokens" | "inputTokens" | "outputTokens" | "uniqueUsers" | "uniqueAgents" | "totalFeedback" | "totalHelpful" | "totalNotHelpful", number>} Stats */

/** @typedef {Record<"conversationCount" | "messageCount" | "toolCalls" | "totalTokens" | "inputTokens" | "outputTokens" | "uniqueUsers" | "totalFeedback" | "totalHelpful" | "totalNotHelpful", number> & { durationP50: number | null, durationP95: number | null }} Figures */

/** @typedef {Figures & { start: string, end: string, group?: string | number | null, other?: boolean }} Bucket */
/** @typedef {Figures & { value: string | number | null, other?: boolean }} Share */

export {};
