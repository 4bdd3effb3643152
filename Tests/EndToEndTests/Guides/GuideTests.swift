import Foundation
import Testing

extension ProgramTests {
  /// What the guides tell readers to do is done, and does what they say.
  @Suite(.serialized) struct GuideTests {
    /// What blocks may name as missing, and why it isn't had here.
    private static let missing = [
      "hardware": "memory and hours", "install": "a build from sources and root", "systemd": "a machine that systemd runs",
      "network": "the internet", "transformers": "torch", "vllm": "torch and a GPU", "huggingface_hub": "a package from PyPI",
      "gptqmodel": "torch",
      "prometheus": "a Prometheus server", "slurm": "a cluster",
      "tls": "a name and a certificate",
    ]

    @Test func thereAreGuides() {
      let names = Set(Guide.all.map(\.name))
      #expect(names.isSuperset(of: ["first-job.md", "qwen2-7b.md", "recovering-a-layer.md", "serving.md", "operating.md"]))
      for guide in Guide.all {
        for need in guide.blocks.flatMap(\.needs) { #expect(Self.missing[need] != nil, "\(guide.name) needs \(need)") }
      }
    }

    @Test("Commands of a guide work, and write what it says", arguments: Guide.all)
    func works(guide: Guide) async throws {
      let folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-guide-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      let outputs = try await GuideRun(guide, in: folder).outputs()
      for (block, output) in zip(guide.blocks, outputs) {
        guard let output, let expected = block.expected else { continue }
        let difference = ExpectedOutput(lines: expected).difference(from: output)
        #expect(difference == nil, "\(guide.name):\(block.line): \(difference ?? "")\nThe commands wrote:\n\(output)")
      }
    }

    @Test func blocksAreFoundWithWhatTheyNeedAndWrite() throws {
      let text = """
        ```sh
        one
        ```

        ```text
        1 …
        ```
        ```sh needs=vllm,hardware
        two
        ```
        Words.
        ```text
        not of two
        ```
        ```yaml
        a: 1
        ```
        """
      let blocks = try Guide(name: "x", text: text).blocks
      #expect(blocks.map(\.commands) == ["one", "two"])
      #expect(blocks.map(\.needs) == [[], ["vllm", "hardware"]])
      #expect(blocks.map(\.expected) == [["1 …"], nil])
      #expect(blocks.map(\.line) == [1, 8])
      #expect(throws: Guide.Wrong.self) { try Guide(name: "x", text: "```sh gpu\n```") }
      #expect(throws: Guide.Wrong.self) { try Guide(name: "x", text: "```sh\nno end") }
    }

    @Test(arguments: [
      (["a", "b"], "a\nb\n", true), (["a", "b"], "a  \nb", true), (["a"], "a\nb\n", false), (["a", "b"], "a\n", false),
      (["a … c"], "a bb c\n", true), (["a … c"], "a bb d\n", false), (["… x … y …"], "1 x 2 y 3\n", true),
      (["… x … y …"], "1 y 2 x 3\n", false),
      (["a", "…", "c"], "a\nc\n", true), (["a", "…", "c"], "a\nb\nb\nc\n", true), (["a", "…", "c"], "a\nb\n", false),
      (["…"], "", true), (["…", "b", "…"], "a\nb\nc\n", true), ([], "a\n", false),
    ])
    func outputIsCompared(expected: [String], output: String, isSame: Bool) {
      #expect((ExpectedOutput(lines: expected).difference(from: output) == nil) == isSame)
    }
  }
}
