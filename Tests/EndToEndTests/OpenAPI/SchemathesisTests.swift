import Foundation
import JobModel
import Service
import StrictJSON
import Testing
import gptqctl

extension ProgramTests {
  /// schemathesis makes up requests from the document, right and wrong ones, and compares the daemon's answers with it.
  @Suite(.serialized) struct SchemathesisTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

    private static func environment() async throws -> PythonEnvironment {
      try await .named("openapi", "schemathesis==4.32.5", "openapi-spec-validator==0.9.0")
    }

    @Test func theDocumentIsValidOpenAPI() async throws {
      let python = try await Self.environment()
      try await EngineServer.run { server in
        let file = server.folder.appending(component: "openapi.json")
        try await server.client.send("GET", "/openapi.json").body.write(to: file)
        let result = try await Program.run([python.program("openapi-spec-validator"), "--schema", "3.1", file.path])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
      }
    }

    /// `GPTQD_SCHEMATHESIS=--max-examples=500` makes a long run of it; what it has is added to the command.
    @Test func noAnswerIsAServerErrorOrOutsideTheDocument() async throws {
      let python = try await Self.environment()
      let token = try AccessToken.make(name: "tester", scope: .write)
      let settings = ["GPTQD_AUTH_TOKENS": token.token.configurationLine, "GPTQD_AUTH_FAILURES_PER_MINUTE": "1000000"]
      try await EngineServer.run(settings, token: token.text) { server in
        let known = try await Self.known(server)
        let more = ProcessInfo.processInfo.environment["GPTQD_SCHEMATHESIS"]?.split(separator: " ").map(String.init) ?? ["--max-examples=5"]
        let result = try await Program.run(
          [
            python.program("schemathesis"), "--config-file", Self.folder.appending(component: "schemathesis.toml").path, "run",
            server.client.base.absoluteString + "/openapi.json",
            "--header", "Authorization: Bearer \(token.text)", "--no-color", "--seed", "1",
          ] + more,
          environment: [
            "GPTQD_KNOWN": known, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": Self.folder.path, "PYTHONDONTWRITEBYTECODE": "1",
          ], in: server.folder, limit: more.contains("--max-examples=5") ? 240 : 7200)
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        // Each operation was tried, also those for which a job is needed.
        #expect(result.output.contains("Test cases:"), "\(result.output)")
        #expect(try await server.client.send("GET", "/healthz").status == 200)
      }
    }

    /// What `hooks.py` puts into requests: a finished job and one that never began, with layers and files.
    private static func known(_ server: EngineServer) async throws -> String {
      let finished = try await server.ended(
        server.submit(
          #"{"model":"tiny","quantization":{"group_size":32},"calibration":{"dataset":"ids","samples":4,"sequence_length":32}}"#
        ).id)
      try #require(finished.status == .succeeded)
      let cancelled = try await server.submit(#"{"model":"tiny","priority":-1000,"quantization":{"method":"rtn","group_size":32}}"#).id
      _ = try await server.client.send("POST", "/v1/jobs/\(cancelled)/cancel")
      let layers = try await server.client.get(APIList<LayerRecord>.self, "/v1/jobs/\(finished.id)/layers").data
      func list(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }
      let known: JSONValue = [
        "model": "tiny", "dataset": "ids", "jobs": list([finished.id.text, cancelled.text]), "layers": list(layers.map(\.name)),
        "files": list(finished.result?.files.map(\.path) ?? []),
      ]
      return known.serialized()
    }
  }
}
