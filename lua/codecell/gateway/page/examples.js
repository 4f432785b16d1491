// A first piece of code in each language.

const EXAMPLES = {
  bash: 'for i in 1 2 3; do\n  echo "line $i"\n  sleep 0.3\ndone\nuname -sr; pwd',
  c: '#include <stdio.h>\n\nint main(void)\n{\n  for (int i = 1; i <= 5; i++)\n'
    + '    printf("%d squared is %d\\n", i, i * i);\n  return 0;\n}',
  cpp: '#include <iostream>\n#include <vector>\n\nint main()\n{\n  std::vector<int> all{1, 2, 3};\n'
    + '  int sum = 0;\n  for (int one : all) sum += one;\n'
    + '  std::cout << "sum " << sum << "\\n";\n}',
  go: 'package main\n\nimport "fmt"\n\nfunc main() {\n  for i := 1; i <= 3; i++ {\n'
    + '    fmt.Println("hello", i)\n  }\n}',
  java: 'public class Main {\n  public static void main(String[] arguments) {\n'
    + '    System.out.println("hello from Java " + System.getProperty("java.version"));\n  }\n}',
  javascript: 'const squares = [1, 2, 3].map((x) => x * x);\nconsole.log("squares", squares);\n'
    + 'squares.reduce((sum, x) => sum + x, 0)',
  julia: 'println("hello")\nsum(x^2 for x in 1:10)',
  lua: 'local sum = 0\nfor i = 1, 10 do sum = sum + i end\nprint("sum", sum)\nreturn sum',
  perl: 'my %count;\n$count{$_}++ for split //, "mississippi";\n'
    + 'print "$_ $count{$_}\\n" for sort keys %count;',
  php: '<?php\nforeach ([1, 2, 3] as $i) {\n  echo "line $i\\n";\n}',
  python: 'import time\nimport matplotlib.pyplot as plt\nimport pandas as pd\n\n'
    + 'for i in range(5):\n    print(f"step {i}", flush=True)\n    time.sleep(0.2)\n\n'
    + 'days = pd.date_range("2026-01-01", periods=30)\n'
    + 'plt.plot(days, [i ** 1.5 for i in range(30)], label="planned")\n'
    + 'plt.plot(days, [i * 4.2 for i in range(30)], label="done")\n'
    + 'plt.title("Work done")\nplt.ylabel("units")\nplt.legend()\nplt.show()\n\n'
    + 'pd.DataFrame({"day": days[:5], "units": [0.0, 1.0, 2.8, 5.2, 8.0]})',
  r: 'x <- c(1, 2, 3, 4)\nprint(summary(x))\nmean(x)',
  ruby: '3.times { |i| puts "line #{i}" }\n(1..10).sum',
  rust: 'fn main() {\n    let sum: u32 = (1..=10).sum();\n    println!("sum {sum}");\n}',
  typescript: 'interface Point { x: number; y: number }\nconst p: Point = { x: 3, y: 4 };\n'
    + 'console.log("distance", Math.hypot(p.x, p.y));\nMath.hypot(p.x, p.y)',
};
EXAMPLES["c++"] = EXAMPLES.cpp;
