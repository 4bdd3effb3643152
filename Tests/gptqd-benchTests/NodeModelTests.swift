import Foundation
import Testing
import gptqd_bench

/// docs/several-nodes.md has the model's figures.
@Suite struct NodeModelTests {
  /// Rates of the page: GFLOP/s of a core, GB/s of a node.
  private static let rates = NodeModel.Rates(products: 60e9 * 32, factor: 35e9 * 32, rows: 30e9 * 32, network: 3e9)

  /// Cells of the rows of a table, by their heading.
  private static func rows(under heading: String) throws -> [[Double]] {
    let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/several-nodes.md").standardized
    let lines = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "\n")
    let start = try #require(lines.firstIndex { $0.hasPrefix("| \(heading)") })
    return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      line.split(separator: "|").map { Double($0.trimmingCharacters(in: .whitespaces).prefix { $0.isNumber || $0 == "." }) ?? 0 }
    }
  }

  @Test(
    "The page's tables are the model's",
    arguments: [
      ("Qwen2-7B", ModelShape.qwen2(blocks: 28)),
      ("70B", ModelShape(hidden: 8192, intermediate: 28_672, heads: 64, keyValueHeads: 8, vocabulary: 128_256, blocks: 80)),
    ])
  func tables(heading: String, shape: ModelShape) throws {
    let rows = try Self.rows(under: heading)
    #expect(rows.map { $0[0] } == [1, 2, 4, 8, 16, 32, 64])
    let model = NodeModel(shape, samples: 128, length: 2048, compensates: true)
    let alone = model.block(nodes: 1, Self.rates).seconds
    for row in rows {
      let block = model.block(nodes: Int(row[0]), Self.rates)
      let hours = block.seconds * Double(shape.blocks) / 3600
      let values = [
        block.products, block.exchange, block.factor, block.rows, block.seconds, hours, alone / block.seconds, block.sentBytes / 1e9,
      ]
      // As they are rounded there.
      for (value, written) in zip(values, row.dropFirst()) { #expect(abs(value - written) <= 0.0501, "\(row)") }
    }
  }

  @Test("Work is divided, traffic falls, what is repeated stays")
  func scaling() {
    let model = NodeModel(.qwen2(blocks: 1), samples: 128, length: 2048, compensates: true)
    let (one, two, four) = (model.block(nodes: 1, Self.rates), model.block(nodes: 2, Self.rates), model.block(nodes: 4, Self.rates))
    #expect(one.sentBytes == 0 && two.products == one.products / 2 && four.rows == one.rows / 4 && four.factor == one.factor)
    #expect(four.sentBytes < two.sentBytes && four.seconds < two.seconds && two.seconds < one.seconds)
  }
}
