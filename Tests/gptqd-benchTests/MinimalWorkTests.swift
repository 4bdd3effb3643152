import Testing
import Transformer
import gptqd_bench

@Suite struct MinimalWorkTests {
  @Test("A job's minimal work is what counting by hand gives")
  func job() throws {
    let shape = ModelShape(hidden: 8, intermediate: 12, heads: 2, keyValueHeads: 1, vocabulary: 16, blocks: 2)
    let work = MinimalWork(try shape.configuration(), tokens: 6, length: 3)
    // m·n of query 64, key and value 32 each, attention output 64, gate, up and down 96 each: 480 a block; without the last down 384.
    #expect(work.forward == 2 * 6 * (480 + 384))
    #expect(work.attention == 2 * (2 * 6 * 3 * 8))
    // Inputs of 8, 8, 8 and 12 channels a block.
    #expect(work.hessians == 2 * 6 * (64 + 64 + 64 + 144))
    #expect(abs(work.factorizations - 2 * (3 * 512 + 1728) / 3) < 1e-9)
    // m·n²: query 512, key and value 256 each, attention output 512, gate and up 768 each, down 1152.
    #expect(work.recurrences == 2 * 4224)
    #expect(abs(work.total - (10_368 + 576 + 4032 + 2176 + 8448)) < 1e-9)
  }

  @Test("Qwen2-7B's shape has the work that was estimated for it, within a hundredth")
  func qwen2() throws {
    let work = MinimalWork(try ModelShape.qwen2(blocks: 2).configuration(), tokens: 8 * 2048, length: 2048)
    // 233 M weights a block, 68 M of them in down: 2·16384·(2·233.0 − 67.9)·10⁶.
    #expect(abs(work.forward / 13.05e12 - 1) < 0.01)
    #expect(abs(work.factorizations / 4.62e12 - 1) < 0.01)
  }
}
