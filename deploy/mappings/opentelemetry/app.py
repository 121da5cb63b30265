"""An application as it is instrumented in production: OpenAI's SDKs, OpenTelemetry's instrumentations of them, OTLP to a Collector.

    OTEL_RESOURCE_ATTRIBUTES=recap.organization.id=org_a python app.py agent | steps | chat | stranger

agent     two conversations with an agent and its tools, exported in one batch
steps     an agent without recorded content whose spans are exported one by one as they end: tools and answers before the agent that called for them
chat      answers without an agent: one cut off, one that fails; an embedding, which is in no conversation
stranger  a service whose resource names no organization
"""

import asyncio
import sys

from agents import Agent, RunConfig, Runner, function_tool, set_default_openai_api
from openai import OpenAI
from opentelemetry import baggage, context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.processor.baggage import BaggageSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

scenario = sys.argv[1]
provider = TracerProvider()
# What a request is about stands in its baggage, and so on all its spans, those of tools too.
provider.add_span_processor(BaggageSpanProcessor(lambda name: name in ("user.id", "gen_ai.agent.id", "gen_ai.conversation.id")))
exports = SimpleSpanProcessor if scenario == "steps" else BatchSpanProcessor
provider.add_span_processor(exports(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
OpenAIAgentsInstrumentor().instrument(disable_openai_trace_export=True)
set_default_openai_api("chat_completions")


def about(**names):
    """Puts what a request is about into its baggage."""
    there = context.get_current()
    for name, value in names.items():
        there = baggage.set_baggage(name.replace("_", "."), value, there)
    context.attach(there)


@function_tool(failure_error_function=None)
def track_order(order: int) -> str:
    """Where an order is."""
    if order == 404:
        raise LookupError("no such order")
    return '{"order": %d, "status": "shipped"}' % order


@function_tool
def track_any_order(order: int) -> str:
    """Where an order is."""
    return "no such order"


track_any_order.name = "track_order"


@function_tool
def send_invoice(invoice: str) -> str:
    """Sends an invoice."""
    return "sent"


async def ask(agent, conversation, *questions):
    history = []
    for question in questions:
        result = await Runner.run(
            agent, [*history, {"role": "user", "content": question}], run_config=RunConfig(workflow_name="support", group_id=conversation)
        )
        history = result.to_input_list()


async def agent():
    about(user_id="user_1")
    support = Agent(name="Support", instructions="Answer briefly.", model="gpt-5", tools=[track_order])
    await ask(support, "conv-1", "Where is my order 4711?", "Is it open on Sunday?")
    try:
        await ask(support, "conv-2", "And 404?")
    except Exception as error:
        print(f"the tool failed, as it should: {error}", file=sys.stderr)
    lenient = Agent(name="Support", instructions="Answer briefly.", model="gpt-5", tools=[track_any_order])
    await ask(lenient, "conv-2", "And 404?")


async def steps():
    about(user_id="user_2")
    # The instrumentation puts the conversation on spans of the agent and the model; the baggage puts it on those of tools, which come alone.
    there = baggage.set_baggage("gen_ai.agent.id", "1000", baggage.set_baggage("gen_ai.conversation.id", "conv-3"))
    context.attach(there)
    billing = Agent(name="Billing", instructions="Answer briefly.", model="gpt-5", tools=[send_invoice])
    await ask(billing, "conv-3", "Send me the invoice.")


def chat():
    client = OpenAI(max_retries=0)
    with trace.get_tracer("shop").start_as_current_span("POST /chat"):
        client.embeddings.create(model="text-embedding-3-small", input="story")
        context.attach(baggage.set_baggage("gen_ai.conversation.id", "conv-1"))
        client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Tell me a long story."}])
        try:
            client.chat.completions.create(model="overloaded", messages=[{"role": "user", "content": "Is it open on Sunday?"}])
        except Exception as error:
            print(f"the model failed, as it should: {error}", file=sys.stderr)


def stranger():
    context.attach(baggage.set_baggage("gen_ai.conversation.id", "conv-9"))
    OpenAI().chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Is it open on Sunday?"}])


run = {"agent": agent, "steps": steps, "chat": chat, "stranger": stranger}[scenario]
if asyncio.iscoroutinefunction(run):
    asyncio.run(run())
else:
    run()
provider.shutdown()
