import Checkpoint
import Foundation
import LinearAlgebra
import Quantization
import Testing
import Transformer
import gptqd_bench

/// `docs/qwen2-7b.md` says what the planner says.
@Suite struct Qwen2GuideTests {
  private static let page = try? String(
    contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/qwen2-7b.md"), encoding: .utf8)

  /// Cells of the table rows that begin with a text.
  private static func rows(beginningWith start: String) throws -> [[String]] {
    try #require(page).split(separator: "\n").filter { $0.hasPrefix("| \(start)") }
      .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
  }

  private static func number(_ text: String) throws -> Double { try #require(Double(text.prefix { "0123456789.".contains($0) })) }

  /// A checkpoint without weights: headers, and files of the right size that take no room.
  private static func checkpoint(in folder: URL) throws -> ModelQuantizer {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let shape = ModelShape.qwen2(blocks: 28)
    try Data(shape.json.serialized().utf8).write(to: folder.appending(component: "config.json"))
    let configuration = try shape.configuration()
    let architecture = configuration.architecture
    var shapes = [
      architecture.embedding: [shape.vocabulary, shape.hidden], architecture.outputHead: [shape.vocabulary, shape.hidden],
      architecture.finalNorm: [shape.hidden],
    ]
    for block in 0..<configuration.blockCount {
      let prefix = architecture.blockPrefix(block)
      for norm in [architecture.attentionNorm, architecture.mlpNorm] { shapes[prefix + norm] = [shape.hidden] }
      for linear in configuration.linears(ofBlock: block) {
        shapes[linear.weight] = [linear.outputs, linear.inputs]
        if linear.hasBias { shapes[linear.bias] = [linear.outputs] }
      }
    }
    var offset = 0
    let entries = shapes.sorted { $0.key < $1.key }.map { name, shape in
      let end = offset + 2 * shape.reduce(1, *)
      defer { offset = end }
      return
        "\"\(name)\":{\"dtype\":\"BF16\",\"shape\":[\(shape.map(String.init).joined(separator: ","))],\"data_offsets\":[\(offset),\(end)]}"
    }
    let header = Data("{\(entries.joined(separator: ","))}".utf8)
    let file = folder.appending(component: "model.safetensors")
    try (withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header).write(to: file)
    try #require(truncate(file.path, off_t(8 + header.count + offset)) == 0)
    #expect(abs(Double(offset) / 1e9 - 15.2) < 0.05)
    return try ModelQuantizer(model: folder, options: QuantizationOptions())
  }

  @Test("Memory and disk are those of the plan")
  func memory() throws {
    let folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-guide-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let quantizer = try Self.checkpoint(in: folder)
    let rows = try Self.rows(beginningWith: "8 GiB") + Self.rows(beginningWith: "24 GiB") + Self.rows(beginningWith: "64 GiB")
    try #require(rows.count == 4)
    for row in rows {
      var options = QuantizationOptions()
      if row[0].contains("--error-compensation 0") { options.errorCompensation = 0 }
      // The page is for two cores, and says what each further one takes.
      let more = Double(Cores.perJob - 2) * (options.errorCompensation > 0 ? 0.252182528 : 0.232783872)
      let limit = Int(try Self.number(row[0])) << 30
      let plan = try MemoryPlan(
        quantizer.configuration, plan: QuantizationPlan(options), samples: 128, length: 2048, recovery: RecoveryPolicy(escalation: []),
        limit: limit + Int(more * 1e9))
      #expect(abs(Double(plan.bytes) / 1e9 - more - (try Self.number(row[1]))) < 0.06, "\(row)")
      let disk = try DiskEstimate(quantizer, spools: plan.diskBytes)
      #expect(abs(Double(disk.peak) / 1e9 - (try Self.number(row[2]))) < 0.06, "\(row)")
      #expect(abs(Double(disk.artifact) / 1e9 - 5.6) < 0.05)
    }
  }

  @Test("Operations are those that are counted, hours are derived from them as the page says")
  func time() throws {
    let configuration = try ModelShape.qwen2(blocks: 28).configuration()
    for samples in [32, 128] {
      let row = try #require(try Self.rows(beginningWith: "\(samples) |").first)
      let work = MinimalWork(configuration, tokens: samples * 2048, length: 2048).total
      #expect(abs(work / 1e15 - (try Self.number(row[1]))) < 0.006)
      for (cell, peak, factor) in [(2, 202e9, 1), (3, 202e9, 2.24), (4, 2e12, 1), (5, 2e12, 2.24)] {
        let hours = work / (0.66 * peak) / 3600 * factor
        #expect(abs(hours - (try Self.number(row[cell]))) < 0.06, "\(samples) sequences, column \(cell): \(hours)")
      }
    }
  }
}
