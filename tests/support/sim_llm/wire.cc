#include "tests/support/sim_llm/wire.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "tests/support/sim_llm/schema_writer.h"

namespace sim {
namespace {

using gp::Json;

constexpr std::size_t kBytesPerToken = 4;
constexpr std::string_view kEmoji = "\xF0\x9F\x98\x80";

std::string user_message(const Json& body) {
  std::string text;
  for (const Json& message : body.at("messages")) {
    if (message.value("role", "") == "user" && message.contains("content") &&
        message.at("content").is_string()) {
      text = message.at("content").get<std::string>();
    }
  }
  return text;
}

Json schema_in(const Json& body) {
  const Json::json_pointer place("/response_format/json_schema/schema");
  return body.contains(place) ? body.at(place) : Json(nullptr);
}

/// Changes the answer itself.
void spoil(Json& answer, const std::string& fault) {
  if (!answer.contains("sections") || answer.at("sections").empty()) return;
  Json& section = answer["sections"].front();
  if (fault == "constraint" && answer.contains("plan")) {
    answer["plan"]["sections"].front()["constraints"]["time_min"] = 239;
  } else if (fault == "blocked") {
    section["shared"]["steps"].front() = "Pour the whisky into the glasses";
  } else if (fault == "personal_data") {
    section["shared"]["steps"].front() = "Call +971 50 123 4567 or write to huda.ali@school.ae";
  } else if (fault == "seats_missing") {
    section["seats"].erase("1");
  } else if (fault == "wrong_type") {
    section["teacher"]["steps"] = "one long step";
  } else if (fault == "key_order" && answer.contains("plan")) {
    Json turned = {{"sections", answer.at("sections")}};
    turned["plan"] = answer.at("plan");
    answer = turned;
  }
}

struct Text {
  std::string text;
  std::vector<std::size_t> section_ends;  ///< where each section's last brace is followed
};

/// The answer's text and where its sections end.
Text rendered(const Json& answer) {
  Text result;
  result.text = gp::dump_json(answer);
  if (!answer.is_object() || !answer.contains("sections") || !answer.at("sections").is_object())
    return result;
  for (const auto& [id, section] : answer.at("sections").items()) {
    const std::string needle = fmt::format("{}:{}", gp::dump_json(id), gp::dump_json(section));
    const auto found = result.text.rfind(needle);
    if (found != std::string::npos) result.section_ends.push_back(found + needle.size());
  }
  std::ranges::sort(result.section_ends);
  return result;
}

void wrap(Text& text, const std::string& before, const std::string& after) {
  text.text = before + text.text + after;
  for (std::size_t& end : text.section_ends) end += before.size();
}

/// Where a stream that breaks after so many sections ends: some way into the next one.
std::size_t break_point(const Text& text, int after_sections) {
  if (text.section_ends.empty() || after_sections < 0) return text.text.size() / 2;
  const auto count =
      std::min<std::size_t>(static_cast<std::size_t>(after_sections), text.section_ends.size());
  const std::size_t from = count == 0 ? text.text.find("\"sections\":{\"sec_") : text.section_ends[count - 1];
  return std::min(text.text.size() - 1, from + 60);
}

class Stream {
 public:
  Stream(std::string model, int call_number)
      : model_(std::move(model)), id_(fmt::format("chatcmpl-sim-{}", call_number)) {}

  void delta(const Json& delta, const Json& finish_reason = nullptr, int tokens = 0, int sections = 0) {
    Json chunk = head();
    chunk["choices"] = Json::array(
        {{{"index", 0}, {"delta", delta}, {"logprobs", nullptr}, {"finish_reason", finish_reason}}});
    chunk["usage"] = nullptr;
    data(chunk.dump(-1, ' ', true), tokens, sections);
  }

  /// A chunk whose content is given as JSON text, escapes included.
  void escaped_content(const std::string& escaped) {
    Json chunk = head();
    chunk["choices"] =
        Json::array({{{"index", 0}, {"delta", {{"content", "@@"}}}, {"finish_reason", nullptr}}});
    std::string text = chunk.dump(-1, ' ', true);
    text.replace(text.find("@@"), 2, escaped);
    data(text, 1, 0);
  }

  void usage(const Reply& reply) {
    Json chunk = head();
    chunk["choices"] = Json::array();
    chunk["usage"] = {{"prompt_tokens", reply.prompt_tokens},
                      {"completion_tokens", reply.completion_tokens},
                      {"total_tokens", reply.prompt_tokens + reply.completion_tokens},
                      {"prompt_tokens_details", {{"cached_tokens", 0}}},
                      {"completion_tokens_details", {{"reasoning_tokens", 0}}}};
    data(chunk.dump(), 0, 0);
  }

  void data(std::string text, int tokens, int sections) {
    frames_.push_back({Frame::Kind::kData, std::move(text), tokens, sections});
  }
  void add(Frame::Kind kind, std::string text = {}) { frames_.push_back({kind, std::move(text), 0, 0}); }

  std::vector<Frame> take() { return std::move(frames_); }

 private:
  Json head() const {
    return {{"id", id_},
            {"object", "chat.completion.chunk"},
            {"created", std::time(nullptr)},
            {"model", model_},
            {"system_fingerprint", "fp_simulated"}};
  }

  std::string model_;
  std::string id_;
  std::vector<Frame> frames_;
};

/// The end of the next chunk: whole UTF-8 characters.
std::size_t chunk_end(const std::string& text, std::size_t at, int tokens) {
  std::size_t end = std::min(text.size(), at + kBytesPerToken * static_cast<std::size_t>(tokens));
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return end;
}

void stream_text(Stream& stream, const Text& text, std::size_t until, const std::string& fault, int tokens) {
  for (std::size_t at = 0; at < until;) {
    const auto emoji = text.text.find(kEmoji, at);
    if (fault == "split_emoji" && emoji == at) {
      stream.escaped_content("\\ud83d");
      stream.escaped_content("\\ude00");
      at += kEmoji.size();
      continue;
    }
    std::size_t end = std::min(chunk_end(text.text, at, tokens), until);
    if (fault == "split_emoji" && emoji != std::string::npos) end = std::min(end, emoji);
    const auto sections =
        std::ranges::count_if(text.section_ends, [&](std::size_t place) { return place <= end; });
    stream.delta({{"content", text.text.substr(at, end - at)}}, nullptr, tokens, static_cast<int>(sections));
    if (fault == "keepalive_comments") stream.add(Frame::Kind::kComment, "PROCESSING");
    at = end;
  }
}

bool breaks_midway(const std::string& fault) {
  return fault == "cut" || fault == "stream_error" || fault == "malformed_chunk" ||
         fault == "silence_midway" || fault == "length" || fault == "content_filter";
}

void end_stream(Stream& stream, const Reply& reply, const std::string& fault, bool wants_usage) {
  if (fault == "cut") return stream.add(Frame::Kind::kBreak);
  if (fault == "silence_midway") return stream.add(Frame::Kind::kSilence);
  if (fault == "malformed_chunk") return stream.data("{\"choices\":[{", 0, 0);
  if (fault == "stream_error") {
    return stream.data(
        R"({"error":{"message":"The server had an error","type":"server_error","param":null,"code":500}})", 0,
        0);
  }
  stream.delta(Json::object(), reply.finish_reason);
  if (wants_usage && fault != "no_usage") stream.usage(reply);
  stream.data("[DONE]", 0, 0);
}

}  // namespace

Reply write_reply(const Json& body, const std::optional<Fault>& fault, int call_number, const Style& style) {
  const std::string kind = fault ? fault->fault : "";
  Reply reply;
  const auto model = body.value("model", std::string("model"));
  reply.model = model.starts_with("simulated-") ? model : "simulated-" + model;

  const Json schema = schema_in(body);
  const auto inputs = Inputs::from(user_message(body));
  Json answer = inputs ? write_by_schema(schema, Author(*inputs, style.seed), style.seed)
                       : (schema.is_null() ? Json{{"text", "Hello"}} : invent(schema, schema, style.seed));
  spoil(answer, kind);
  Text text = rendered(answer);
  if (kind == "garbage") text = {"%%% no { JSON [ at all \\ %%%", {}};
  if (kind == "prose_fence") wrap(text, "Here is {the} project:\n```json\n", "\n```\nEnjoy {it}!");
  if (kind == "think") wrap(text, "<think>\nMaybe {\"plan\": {\"draft\": true}}?\n</think>\n", "");
  if (kind == "empty") text = {};
  if (kind == "refusal") reply.refusal = "I'm sorry, but I can't help with that.";
  if (kind == "length" || kind == "content_filter") reply.finish_reason = kind;
  const std::size_t until = breaks_midway(kind) ? break_point(text, fault->after_sections) : text.text.size();
  reply.text = text.text.substr(0, until);
  reply.prompt_tokens = static_cast<int>(gp::dump_json(body.at("messages")).size() / kBytesPerToken);
  reply.completion_tokens = static_cast<int>(until / kBytesPerToken) + 1;

  Stream stream(reply.model, call_number);
  stream.delta({{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}});
  if (kind == "silence") stream.add(Frame::Kind::kSilence);
  if (kind == "close_early") stream.add(Frame::Kind::kBreak);
  if (kind == "refusal") {
    stream.delta({{"content", nullptr}, {"refusal", reply.refusal}}, nullptr, 8);
    reply.text.clear();
  } else {
    stream_text(stream, text, until, kind, style.chunk_tokens);
  }
  const bool wants_usage =
      body.contains("stream_options") && body.at("stream_options").value("include_usage", false);
  end_stream(stream, reply, kind, wants_usage);
  reply.frames = stream.take();
  return reply;
}

Json whole_completion(const Reply& reply, int call_number) {
  const bool is_refusal = !reply.refusal.empty();
  return {{"id", fmt::format("chatcmpl-sim-{}", call_number)},
          {"object", "chat.completion"},
          {"created", std::time(nullptr)},
          {"model", reply.model},
          {"choices", Json::array({{{"index", 0},
                                    {"message",
                                     {{"role", "assistant"},
                                      {"content", is_refusal ? Json(nullptr) : Json(reply.text)},
                                      {"refusal", is_refusal ? Json(reply.refusal) : Json(nullptr)}}},
                                    {"logprobs", nullptr},
                                    {"finish_reason", reply.finish_reason}}})},
          {"usage",
           {{"prompt_tokens", reply.prompt_tokens},
            {"completion_tokens", reply.completion_tokens},
            {"total_tokens", reply.prompt_tokens + reply.completion_tokens}}}};
}

}  // namespace sim
