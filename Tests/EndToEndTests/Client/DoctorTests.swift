import Foundation
import Service
import StrictJSON
import Testing
import gptqctl

extension ProgramTests {
  /// `gptqctl doctor` as it is shipped, against a daemon.
  @Suite(.serialized) struct DoctorTests {
    private static func doctor(_ url: String, token: String?, _ arguments: String...) async throws -> Program.Result {
      let environment = ["GPTQD_URL": url, "GPTQD_TOKEN": token ?? "", "http_proxy": "", "all_proxy": "", "ALL_PROXY": ""]
      return try await Program.run([InteractiveShell.client.path, "doctor"] + arguments, environment: environment)
    }

    /// What this machine is short of is nobody's mistake here.
    private static func wrong(_ output: String) throws -> [String] {
      let json = try JSONValue(parsing: Array(output.utf8))
      let wrong = (json["checks"]?.arrayValue ?? []).filter { $0["passed"] == false }.compactMap { $0["name"]?.stringValue }
      #expect(json["ok"] == .bool(wrong.isEmpty))
      return wrong.filter { !["disk", "memory"].contains($0) }
    }

    @Test func aDaemonIsWellUntilItsTokenIsWrong() async throws {
      let (writer, reader) = (try AccessToken.make(name: "w", scope: .write), try AccessToken.make(name: "r", scope: .read))
      let tokens = [writer, reader].map(\.token.configurationLine).joined(separator: ",")
      try await EngineServer.run(["GPTQD_AUTH_TOKENS": tokens, "GPTQD_COMPUTE_MEMORY_LIMIT": "64MiB"], token: writer.text) { server in
        let url = server.client.base.absoluteString
        let well = try await Self.doctor(url, token: writer.text)
        for name in ["address", "name", "connection", "answer", "version", "clock", "readiness", "token", "queue"] {
          #expect(well.output.contains("✓ \(name): "), "\(well.output)")
        }
        #expect(well.status == (well.output.contains("✗") ? 1 : 0))
        let json = try await Self.doctor(url, token: writer.text, "--json").output
        #expect(try Self.wrong(json) == [])
        for token in [nil, "gptqd_wrong", reader.text] {
          let result = try await Self.doctor(url, token: token, "--json")
          #expect(result.status == 1)
          #expect(try Self.wrong(result.output) == ["token"])
        }
      }
    }

    @Test func nobodyThereIsToldWithAdvice() async throws {
      let result = try await Self.doctor("http://127.0.0.1:1", token: nil)
      #expect(result.status == 1)
      #expect(result.output.contains("✗ connection: 127.0.0.1 port 1: Connection refused\n  → Start the daemon there"))
    }
  }
}
