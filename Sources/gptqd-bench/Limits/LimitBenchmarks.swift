import LinearAlgebra
import Quantization
import Transformer

/// Measures the lines of `LimitsFinding`, on Qwen2-7B's sizes.
struct LimitBenchmarks {
  let peak: ProductPeak
  let runs: Int?

  private static let shape = ModelShape.qwen2(blocks: 1)
  private static let columns = shape.hidden

  func measure() throws -> LimitsFinding {
    Report.note("the parts of a job")
    let products = peak.rates.map { LimitsFinding.Line($0.name, flops: $0.gigaflops * 1e9 * $0.seconds.least, $0.seconds, peak: peak) }
    return LimitsFinding(
      lines: products + [gram(), try cholesky(), try factorization(), hessian(), try forward()] + (try packing()))
  }

  private func line(_ name: String, flops: Double, _ seconds: Spread) -> LimitsFinding.Line {
    LimitsFinding.Line(name, flops: flops, seconds, peak: peak)
  }

  private func gram() -> LimitsFinding.Line {
    let (size, tokens, cores) = (2048, 4096, Cores.perJob)
    let x = Matrix.random(rows: tokens, columns: size, seed: 1)
    var c = Matrix<Float>(rows: cores * size, columns: size)
    let seconds = x.withView { x in
      c.withMutableView { c in
        Spread(runs: runs) {
          forEachTask(cores) { core in addGram(of: x, to: c[rows: core * size..<(core + 1) * size], keeping: 0) }
        }
      }
    }
    return line(
      "ssyrk \(size) from \(tokens) rows, one a core", flops: Double(cores) * Double(tokens) * Double(size) * Double(size), seconds)
  }

  /// LAPACK's own, each core a matrix.
  private func cholesky() throws -> LimitsFinding.Line {
    let (size, cores) = (Self.columns, Cores.perJob)
    let hessian = SolverBenchmark.dampedMatrix(columns: size)
    var copies = Matrix<Float>(rows: cores * size, columns: size)
    let seconds = hessian.withView { hessian in
      copies.withMutableView { copies in
        func window(_ core: Int) -> MutableMatrixView<Float> { copies[rows: core * size..<(core + 1) * size] }
        return Spread(
          runs: runs, preparing: { forEachTask(cores) { core in window(core).update(from: hessian) } },
          {
            forEachTask(cores) { core in
              // unsafe: the window holds size × size values and outlives the call
              _ = unsafe Float.potrf(CChar(UInt8(ascii: "U")), Int32(size), window(core).base, Int32(size))
            }
          })
      }
    }
    return line("spotrf \(size), one a core", flops: Double(cores) * cube(size) / 3, seconds)
  }

  private func factorization() throws -> LimitsFinding.Line {
    let hessian = SolverBenchmark.dampedMatrix(columns: Self.columns)
    let seconds = try Spread(runs: runs) { _ = try ReverseCholesky(hessian) }
    return line("H = R·Rᵀ, \(Self.columns)", flops: cube(Self.columns) / 3, seconds)
  }

  private func hessian() -> LimitsFinding.Line {
    let (columns, tokens) = (Self.columns, 8192)
    let x = Matrix.random(rows: tokens, columns: columns, seed: 1)
    var accumulator = HessianAccumulator(columns: columns)
    let seconds = Spread(runs: runs) { accumulator.add(x) }
    return line("Hessian \(columns) of \(tokens) tokens", flops: Double(tokens) * Double(columns) * Double(columns), seconds)
  }

  private func forward() throws -> LimitsFinding.Line {
    let tokens = 2048
    let configuration = try Self.shape.configuration()
    let block = try DecoderBlock(0, of: configuration, from: RandomCheckpoint(Self.shape, seed: 1), length: tokens)
    var hidden = Matrix.random(rows: tokens, columns: configuration.hiddenSize, seed: 1)
    let seconds = Spread(runs: runs) { hidden.withMutableView { block.forward($0) } }
    let linears = configuration.linears(ofBlock: 0).reduce(0.0) { $0 + Double($1.outputs) * Double($1.inputs) }
    let attention = MinimalWork(configuration, tokens: tokens, length: tokens).attention
    return line("block forward, \(tokens) tokens", flops: 2 * Double(tokens) * linears + attention, seconds)
  }

  private func packing() throws -> [LimitsFinding.Line] {
    let (rows, columns, groupSize) = (Self.columns, Self.shape.intermediate, 128)
    let groups = columns / groupSize
    var stream = RandomStream(seed: 1)
    let layer = QuantizedLayer(
      rows: rows, columns: columns, bits: 4, codes: (0..<rows * columns).map { _ in UInt8(truncatingIfNeeded: stream.next() & 15) },
      scales: [Float16](repeating: 0.01, count: groups * rows), zeros: [UInt8](repeating: 8, count: groups * rows),
      groupIndices: (0..<columns).map { Int32($0 / groupSize) })
    let size = "\(rows) × \(columns)"
    let flops = SolverBenchmark.flops(rows: rows, columns: columns)
    return [
      LimitsFinding.Line(
        "packing \(size)", weights: rows * columns, solverFlops: flops,
        Spread(runs: runs) { _ = PackedLayer(layer, format: .v1) }, peak: peak),
      LimitsFinding.Line(
        "dequantizing \(size)", weights: rows * columns, solverFlops: flops, Spread(runs: runs) { _ = layer.dequantized() }, peak: peak),
    ]
  }
}
