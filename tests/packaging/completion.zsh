# usage: zsh -f completion.zsh FOLDER LINE: what zsh offers behind LINE, a word a line, with the completions in FOLDER. The completion
# system works at a terminal only, so that a shell at a pseudo terminal is asked, whose compadd tells what it is given.
zmodload zsh/zpty
rm -f $1/{ready,finished,offered}
cat >$1/setup <<SETUP
PROMPT= RPROMPT=
fpath=($1 \$fpath)
autoload -Uz compinit && compinit -u -d $1/known
bindkey '^I' complete-word
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "\$@"; return; fi
  local -a hits
  builtin compadd -A hits "\$@"
  (( \$#hits )) && print -rl -- \$hits >>$1/offered
  builtin compadd "\$@"
}
finish() { touch $1/finished; exit }
comppostfuncs=(finish)
touch $1/ready
SETUP
touch $1/offered
zpty shell "TERM=dumb zsh -f -i"
zpty -w shell "source $1/setup"
for wait in {1..500}; do [[ -e $1/ready ]] && break; sleep 0.01; done
zpty -w -n shell "$2"$'\t'
for wait in {1..500}; do [[ -e $1/finished ]] && break; sleep 0.01; done
zpty -d shell
[[ -e $1/finished ]] || exit 1
cat $1/offered
