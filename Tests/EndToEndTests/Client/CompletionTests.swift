import Foundation
import Testing

extension ProgramTests {
  /// gptqctl's completions in shells that are typed into.
  @Suite(.serialized) struct CompletionTests {
    @Test(arguments: InteractiveShell.allCases)
    func aShellCompletesCommandsOptionsValuesAndJobs(shell: InteractiveShell) async throws {
      guard shell.isInstalled else {
        FileHandle.standardError.write(Data("\n*** NOT TESTED: completions of \(shell.rawValue), which isn't installed ***\n\n".utf8))
        return
      }
      try await EngineServer.run { server in
        let job = try await server.ended(server.submit(#"{"model":"tiny","quantization":{"method":"rtn","group_size":32}}"#).id)
        let id = job.id.text
        let cases = [
          ("gptqctl subm\t", "gptqctl submit"), ("gptqctl submit --dampi\t", "gptqctl submit --damping-start"),
          ("gptqctl submit --format gptq_\t", "gptqctl submit --format gptq_v2"),
          ("gptqctl list --status q\t", "gptqctl list --status queued"),
          ("gptqctl show la\t", "gptqctl show latest"), ("gptqctl show \(id.prefix(4))\t", "gptqctl show \(id)"),
          // A job that has ended can't be cancelled.
          ("gptqctl cancel \(id.prefix(4))\t", "gptqctl cancel \(id.prefix(4))"),
        ]
        for (keys, expected) in cases {
          let line = try await shell.line(after: keys, environment: ["GPTQD_URL": server.client.base.absoluteString], in: server.folder)
          #expect(line.trimmingCharacters(in: .whitespaces) == expected, "\(shell.rawValue): \(keys)")
        }
      }
    }

    /// Nobody waits for a server that isn't there.
    @Test func withoutAServerTheRestIsCompleted() async throws {
      let folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-completion-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      let line = try await InteractiveShell.bash.line(
        after: "gptqctl show la\t", environment: ["GPTQD_URL": "http://127.0.0.1:1"], in: folder)
      #expect(line.trimmingCharacters(in: .whitespaces) == "gptqctl show latest")
    }
  }
}
