import LinearAlgebra
import Quantization
import Transformer

/// What is measured: the machine's limits first, then our parts beside them.
enum Benchmarks {
  /// Columns of the matrices of the limits.
  private static let size = 2048

  private static func matrix(_ rows: Int, _ columns: Int) -> Matrix<Float> {
    var state: UInt64 = 1
    return Matrix(
      rows: rows, columns: columns,
      elements: (0..<rows * columns).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) / Float(1 << 23) - 1
      })
  }

  private static func hessian(_ columns: Int) throws -> SymmetricMatrix {
    var accumulator = HessianAccumulator(columns: columns)
    accumulator.add(matrix(2 * columns, columns))
    return accumulator.hessian()
  }

  static func productPeak() -> Measurement {
    let (a, b) = (matrix(size, size), matrix(size, size))
    var c = Matrix<Float>(rows: size, columns: size)
    return Measurement("sgemm \(size)", flops: 2 * cube(size)) {
      a.withView { a in b.withView { b in c.withMutableView { multiply(a, by: b, into: $0) } } }
    }
  }

  static func gramPeak() -> Measurement {
    let x = matrix(2 * size, size)
    var c = Matrix<Float>(rows: size, columns: size)
    return Measurement("ssyrk \(size), \(2 * size) tokens", flops: 2 * cube(size)) {
      x.withView { x in c.withMutableView { addGram(of: x, to: $0, keeping: 0) } }
    }
  }

  static func hessianAccumulation() throws -> Measurement {
    let x = matrix(4096, size)
    var accumulator = HessianAccumulator(columns: size)
    return Measurement("Hessian \(size), 4096 tokens", flops: 2 * cube(size)) { accumulator.add(x) }
  }

  static func factorization() throws -> Measurement {
    let hessian: Matrix<Float> = try hessian(size).permuted(Array(0..<size), diagonal: [Double](repeating: 1000, count: size))
    return try Measurement("factor \(size)", flops: cube(size) / 3) { _ = try ReverseCholesky(hessian) }
  }

  /// One layer as a job solves it: damping, factorisation, recurrence, loss.
  static func solver(rows: Int, columns: Int) throws -> Measurement {
    let hessian = try hessian(columns)
    let weight = matrix(rows, columns)
    let options = QuantizationOptions(bits: 4, groupSize: 128)
    let flops = cube(columns) / 3 + Double(rows) * Double(columns) * Double(columns)
    return try Measurement("solve \(rows) × \(columns)", flops: flops) {
      let damped = try DampedHessian(hessian, options: options, ladder: DampingLadder(startingAt: 0.01))
      _ = try damped.quantize(weight, options: options, layer: "bench")
    }
  }

  static func packing() -> Measurement {
    let (rows, columns) = (2048, 2048)
    let layer = QuantizedLayer(
      rows: rows, columns: columns, bits: 4, codes: [UInt8](repeating: 7, count: rows * columns),
      scales: [Float16](repeating: 1, count: rows), zeros: [UInt8](repeating: 8, count: rows),
      groupIndices: [Int32](repeating: 0, count: columns))
    return Measurement("pack \(rows) × \(columns)", flops: Double(rows * columns)) { _ = PackedLayer(layer, format: .v1) }
  }

  private static func cube(_ size: Int) -> Double { Double(size) * Double(size) * Double(size) }
}
