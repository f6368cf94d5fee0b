import ArgumentParser
import Histogram
import NIOPosix
import Yams
@main struct Starling: ParsableCommand { func run() {} }
