import LinearAlgebra

/// What sgemm reaches at most on the cores that a job may use.
struct ProductPeak: Encodable, Sendable {
  /// 10⁹ floating-point operations a second: the fastest run of all.
  let gigaflops: Double
  let rates: [Rate]

  struct Rate: Encodable, Sendable {
    let name: String
    let seconds: Spread
    /// Of the fastest run.
    let gigaflops: Double
  }

  /// Every core a product of its own, so that none waits for another; and one product on all cores, as jobs compute it.
  static func measure() -> ProductPeak {
    Report.note("sgemm's peak on \(Cores.perJob) cores")
    var rates = [2048, 3072].map(onEveryCore)
    rates.append(shared(4096))
    return ProductPeak(gigaflops: rates.map(\.gigaflops).max() ?? 0, rates: rates)
  }

  private static let runs = 4

  private static func onEveryCore(_ size: Int) -> Rate {
    let cores = Cores.perJob
    let (a, b) = (Matrix.random(rows: size, columns: size, seed: 1), Matrix.random(rows: size, columns: size, seed: 2))
    var c = Matrix<Float>(rows: cores * size, columns: size)
    let seconds = a.withView { a in
      b.withView { b in
        c.withMutableView { c in
          Spread(runs: runs) {
            forEachTask(cores) { core in multiply(a, by: b, into: c[rows: core * size..<(core + 1) * size]) }
          }
        }
      }
    }
    return Rate("sgemm \(size), one a core", flops: 2 * Double(cores) * cube(size), seconds)
  }

  private static func shared(_ size: Int) -> Rate {
    let (a, b) = (Matrix.random(rows: size, columns: size, seed: 1), Matrix.random(rows: size, columns: size, seed: 2))
    var c = Matrix<Float>(rows: size, columns: size)
    let seconds = a.withView { a in
      b.withView { b in
        c.withMutableView { c in Spread(runs: runs) { multiplyOnAllCores(a, by: b, into: c) } }
      }
    }
    return Rate("sgemm \(size), on all cores", flops: 2 * cube(size), seconds)
  }
}

extension ProductPeak.Rate {
  init(_ name: String, flops: Double, _ seconds: Spread) {
    self.init(name: name, seconds: seconds, gigaflops: flops / seconds.least / 1e9)
  }
}

func cube(_ size: Int) -> Double { Double(size) * Double(size) * Double(size) }
