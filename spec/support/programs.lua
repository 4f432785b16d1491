--- The same small pieces of code in every language that is compiled and run once, as snippets.lua
--- has them for sessions. `whole` makes a program of pieces: each is one or more statements.
local programs = {}

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local function pattern(format)
  return function(text)
    return (format:gsub("TEXT", function() return quoted(text) end))
  end
end

local function between(head, foot)
  return function(...)
    return head .. table.concat({ ... }, "\n") .. foot
  end
end

programs.perl = {
  whole = between("$| = 1; ", ""),
  print = pattern("print TEXT;"),
  complain = pattern("print STDERR TEXT;"),
  write = "open F, '>%s'; print F 'still here'; close F;",
  read = "open F, '%s'; print <F>;",
  fail = "exit 7;",
  forever = "1 while 1;",
  flood = "print 'x' x 1000000;",
  variable = "print $ENV{ONCE} // '-', ' ', $ENV{LASTING} // '-', qq(\\n);",
  input = "print scalar <STDIN> // '-';",
  folder = "use Cwd; print getcwd;",
  hog = "push @hog, 'x' x (1 << 22) . scalar @hog while 1;",
  suicide = "kill 9, $$; sleep 60;",
  binary = "print qq(a\\377\\0b);",
  await = "select undef, undef, undef, 0.005 until -e '%s';",
  comment = "# nothing\n",
  nonsense = "if (((",
}

programs.ruby = {
  whole = between("STDOUT.sync = true; ", ""),
  print = pattern("STDOUT.print TEXT"),
  complain = pattern("STDERR.print TEXT"),
  write = "File.write('%s', 'still here')",
  read = "print File.read('%s')",
  fail = "exit 7",
  forever = "loop {}",
  flood = "print 'x' * 1000000",
  variable = "puts (ENV['ONCE'] || '-') + ' ' + (ENV['LASTING'] || '-')",
  input = "print STDIN.gets || '-'",
  folder = "print Dir.pwd",
  hog = "hog = []; loop { hog << 'x' * (1 << 22) }",
  suicide = "Process.kill 9, $$; sleep 60",
  binary = "STDOUT.write \"a\\xff\\0b\".b",
  await = "sleep 0.005 until File.exist? '%s'",
  comment = "# nothing\n",
  nonsense = "if (((",
}

programs.php = {
  whole = between("<?php ", ""),
  print = pattern("fwrite(STDOUT, TEXT);"),
  complain = pattern("fwrite(STDERR, TEXT);"),
  write = "file_put_contents('%s', 'still here');",
  read = "echo file_get_contents('%s');",
  fail = "exit(7);",
  forever = "for (;;);",
  flood = "echo str_repeat('x', 1000000);",
  variable = "echo getenv('ONCE') ?: '-', ' ', getenv('LASTING') ?: '-', PHP_EOL;",
  input = "echo fgets(STDIN) ?: '-';",
  folder = "echo getcwd();",
  hog = "ini_set('memory_limit', -1); for (;;) $hog[] = str_repeat('x', 1 << 22);",
  suicide = "exec('kill -9 ' . getmypid()); sleep(60);",
  binary = "echo \"a\\xff\\0b\";",
  await = "while (!file_exists('%s')) { usleep(5000); clearstatcache(); }",
  comment = "<?php // nothing\n",
  nonsense = "if (((",
}

programs.c = {
  whole = between("#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
    .. "#include <string.h>\n#include <unistd.h>\nint main(void) { ", " return 0; }"),
  print = pattern("fputs(TEXT, stdout); fflush(stdout);"),
  complain = pattern("fputs(TEXT, stderr);"),
  write = "{ FILE *f = fopen(\"%s\", \"w\"); fputs(\"still here\", f); fclose(f); }",
  read = "{ FILE *f = fopen(\"%s\", \"r\"); for (int c; (c = getc(f)) != EOF;) putchar(c); }",
  fail = "exit(7);",
  forever = "for (volatile int i = 0;; i++);",
  flood = "for (int i = 0; i < 1000000; i++) putchar('x');",
  variable = "fputs(getenv(\"ONCE\") ? getenv(\"ONCE\") : \"-\", stdout); putchar(' ');"
    .. "puts(getenv(\"LASTING\") ? getenv(\"LASTING\") : \"-\");",
  input = "{ char line[99]; fputs(fgets(line, 99, stdin) ? line : \"-\", stdout); }",
  folder = "{ char path[999]; fputs(getcwd(path, 999) ? path : \"\", stdout); }",
  hog = "for (;;) { void *p = malloc(1 << 22); if (!p) abort(); memset(p, 1, 1 << 22); }",
  suicide = "kill(getpid(), SIGKILL);",
  binary = "fwrite(\"a\\377\\0b\", 1, 4, stdout);",
  await = "while (access(\"%s\", F_OK) < 0) usleep(5000);",
  comment = false,
  nonsense = "if (((",
}

programs.cpp = programs.c

programs.go = {
  whole = between('package main; import ("bufio"; "fmt"; "os"; "syscall"; "time")\n'
    .. "var _, _, _, _, _ = bufio.NewReader, fmt.Print, os.Exit, syscall.Kill, time.Sleep\n"
    .. "func or(name string) string { if text := os.Getenv(name); text != \"\" { return text }\n"
    .. "return \"-\" }\nfunc main() { ", "\n}"),
  print = pattern("os.Stdout.WriteString(TEXT)"),
  complain = pattern("os.Stderr.WriteString(TEXT)"),
  write = 'os.WriteFile("%s", []byte("still here"), 0644)',
  read = '{ text, _ := os.ReadFile("%s"); os.Stdout.Write(text) }',
  fail = "os.Exit(7)",
  forever = "for {}",
  flood = "os.Stdout.Write(make([]byte, 1000000))",
  variable = 'fmt.Println(or("ONCE"), or("LASTING"))',
  input = '{ line, _ := bufio.NewReader(os.Stdin).ReadString(10); if line == "" { line = "-" }; '
    .. "fmt.Print(line) }",
  folder = "{ path, _ := os.Getwd(); fmt.Print(path) }",
  hog = "hog := [][]byte{}; for { more := make([]byte, 1 << 22); for i := range more { "
    .. "more[i] = 1 }; hog = append(hog, more) }",
  suicide = "syscall.Kill(os.Getpid(), syscall.SIGKILL); time.Sleep(60 * time.Second)",
  binary = 'os.Stdout.WriteString("a\\xff\\x00b")',
  await = 'for { if _, err := os.Stat("%s"); err == nil { break }; '
    .. "time.Sleep(5 * time.Millisecond) }",
  comment = false,
  nonsense = "if (((",
}

programs.java = {
  whole = between("import java.io.*; import java.nio.file.*; import java.util.*;\n"
    .. "public class Main { static String or(String name) { String text = System.getenv(name); "
    .. "return text == null ? \"-\" : text; }\n"
    .. "public static void main(String[] words) throws Exception { ", "\n} }"),
  print = pattern("System.out.print(TEXT); System.out.flush();"),
  complain = pattern("System.err.print(TEXT);"),
  write = 'Files.writeString(Path.of("%s"), "still here");',
  read = 'System.out.print(Files.readString(Path.of("%s")));',
  fail = "if (true) System.exit(7);",
  forever = "for (long i = 0; i >= 0; i++) if (i < 0) break;",
  flood = 'System.out.print("x".repeat(1000000));',
  variable = 'System.out.println(or("ONCE") + " " + or("LASTING"));',
  input = "{ String line = new BufferedReader(new InputStreamReader(System.in)).readLine();"
    .. 'System.out.print(line == null ? "-" : line + "\\n"); }',
  folder = 'System.out.print(System.getProperty("user.dir"));',
  hog = "List<byte[]> hog = new ArrayList<>(); while (true) hog.add(new byte[1 << 22]);",
  suicide = "Runtime.getRuntime().exec(new String[] { \"kill\", \"-9\", "
    .. "\"\" + ProcessHandle.current().pid() }).waitFor(); Thread.sleep(60000);",
  binary = "System.out.write(new byte[] { 97, -1, 0, 98 }, 0, 4);",
  await = 'while (!Files.exists(Path.of("%s"))) Thread.sleep(5);',
  comment = false,
  nonsense = "if (((",
}

--- Those of the tests in turn; the slow ones are for the long gate.
programs.names = { "perl", "c" }
programs.slow = { "ruby", "php", "cpp", "go", "java" }

return programs
